import { coerce } from '../contracts/coerce.ts'
import { defaultsOf, insert, remove as removeRow, setValues } from '../contracts/write.ts'
import type { Kind, Ref, Row, Value, Values } from '../model.ts'
import { find } from '../query/find.ts'
import { relationNamed } from '../query/scope.ts'
import { countLive, findRow, idOf, ownOf, rowOf } from '../store.ts'
import { parseWhere } from '../where/parser.ts'
import { kindNamed, kindOfEntity, touch, type World } from '../world.ts'
import { truthOf, type Truth } from './truth.ts'

type Plain = Record<string, unknown>
export type EditInput = { entity: string; id: string; values: Plain }
export type AddInput = { entity: string; values?: Plain; count?: number }
export type RemoveInput = { entity: string; ids?: string[]; random?: number }
export type MassInput = { entity: string; values: Plain; count?: number; where?: string; ids?: string[] }
export type PeopleInput = { entity: string; after?: string | null; count?: number; where?: string; select?: string[] }

/** Whoever works in the CRM while a client is connected: not the client's user. */
const colleague = { userId: 'U6UJ9A000001' }

const kindFor = (world: World, entity: string): Kind => {
  const kind = kindOfEntity(world, entity)
  if (kind === undefined) throw new Error(`There is no entity ${entity}`)
  return kind
}

const rowFor = (world: World, entity: string, id: string): Row => {
  const row = findRow(kindFor(world, entity), id)
  if (row === undefined) throw new Error(`There is no ${entity} ${id}`)
  return row
}

/** Relations by key, properties by name, read-only ones too; unlike a client nobody is stopped here. */
const split = (world: World, kind: Kind, values: Plain): { own: Values; address: Plain | undefined } => {
  const own: Values = {}
  let address: Plain | undefined
  for (const [name, value] of Object.entries(values)) {
    const relation = relationNamed(kind, name)
    if (relation !== undefined && value !== null && typeof value === 'object') address = value as Plain
    else if (relation !== undefined) own[relation.key.name] = value as Value
    else {
      const property = kind.byName.get(name.toLowerCase())
      if (property === undefined || property.derive !== null)
        throw new Error(`${kind.entity} has no property ${name} to set`)
      own[property.slot] = coerce({ ...property, length: null }, value, world.settings)
    }
  }
  return { own, address }
}

const apply = (world: World, row: Row, values: Plain, at: number): void => {
  const { own, address } = split(world, row.kind, values)
  if (Object.keys(own).length > 0) setValues(world, row, own, at, colleague.userId)
  if (address === undefined) return
  const relation = relationNamed(row.kind, 'Address')
  if (relation === undefined) throw new Error(`${row.kind.entity} has no address`)
  const target = kindNamed(world, relation.target)
  const inner = split(world, target, address).own
  const key = (row.own?.[relation.key.name] ?? (typeof row.ref === 'number' ? relation.key.make(row.ref) : null)) as
    | string
    | null
  const old = key === null ? undefined : findRow(target, key)
  if (old !== undefined) {
    setValues(world, old, inner, at, colleague.userId)
    return
  }
  const id = idOf(row.kind.store, row.ref)
  const back: Values = target.entity === 'Address' ? { EntityId: id } : { LeadId: id }
  const made = insert(world, target, { IsPrimary: true, ...inner, ...back }, at, colleague.userId)
  ownOf(row)[relation.key.name] = idOf(target.store, made.ref)
  touch(world, row)
}

export const edit = (world: World, { entity, id, values }: EditInput): Truth => {
  const row = rowFor(world, entity, id)
  apply(world, row, values, world.now())
  return truthOf(world, rowOf(row.kind, row.ref))
}

export const add = (world: World, { entity, values = {}, count = 1 }: AddInput): { ids: string[] } => {
  const kind = kindFor(world, entity)
  const at = world.now()
  const ids = Array.from({ length: count }, (_, n) => {
    const mark = `${world.made}`
    const named: Values =
      kind.entity === 'Lead' || kind.entity === 'Contact'
        ? { FirstName: 'Added', LastName: `Person ${mark}`, Email: `added.${mark}@example.com` }
        : {}
    if (kind.entity === 'Lead') named['Company'] = `Added Company ${mark}`
    if (kind.entity === 'Contact') named['AccountId'] = kindNamed(world, 'accounts').store.ids.at(0)
    const row = insert(world, kind, { ...defaultsOf(kind, colleague), ...named }, at + n, colleague.userId)
    apply(world, row, values, at + n)
    return idOf(kind.store, row.ref)
  })
  return { ids }
}

const live = (world: World, kind: Kind, count: number, where?: string): Ref[] =>
  find(world, kind, { where: where === undefined ? undefined : parseWhere(where), order: [], skip: 0, count }).refs

const randomRefs = (world: World, kind: Kind, count: number): Ref[] => {
  const refs = live(world, kind, Number.POSITIVE_INFINITY)
  const chosen: Ref[] = []
  while (chosen.length < count && refs.length > 0) {
    const at = world.roll(world.made++) % refs.length
    chosen.push(refs[at] as Ref)
    refs[at] = refs.at(-1) as Ref
    refs.pop()
  }
  return chosen
}

export const remove = (world: World, { entity, ids, random = 0 }: RemoveInput): { ids: string[] } => {
  const kind = kindFor(world, entity)
  const rows =
    ids?.map((id) => rowFor(world, entity, id)) ?? randomRefs(world, kind, random).map((ref) => rowOf(kind, ref))
  for (const row of rows) removeRow(world, row)
  return { ids: rows.map((row) => idOf(kind.store, row.ref)) }
}

export const massUpdate = (
  world: World,
  { entity, values, count, where, ids }: MassInput,
): { ids: string[]; modifyDate: string } => {
  const kind = kindFor(world, entity)
  const at = world.now()
  const refs = ids
    ? ids.map((id) => rowFor(world, entity, id).ref)
    : live(world, kind, count ?? Number.POSITIVE_INFINITY, where)
  for (const ref of refs) apply(world, rowOf(kind, ref), values, at)
  return { ids: refs.map((ref) => idOf(kind.store, ref)), modifyDate: new Date(at).toISOString() }
}

export const people = (world: World, input: PeopleInput): { items: Truth[]; next: string | null; total: number } => {
  const { entity, after, count = 1000, where, select } = input
  const kind = kindFor(world, entity)
  const parts = [after ? `Id gt '${after.replaceAll("'", "''")}'` : '', where ? `(${where})` : ''].filter(
    (part) => part !== '',
  )
  const { refs, total } = find(world, kind, {
    where: parts.length === 0 ? undefined : parseWhere(parts.join(' and ')),
    order: [],
    skip: 0,
    count,
  })
  const items = refs.map((ref) => truthOf(world, rowOf(kind, ref), select))
  return { items, next: total > items.length ? (items.at(-1)?.Id ?? null) : null, total }
}

export const person = (world: World, entity: string, id: string): Truth | null => {
  const row = findRow(kindFor(world, entity), id)
  return row === undefined ? null : truthOf(world, row)
}

export const counts = (world: World): Record<string, number> =>
  Object.fromEntries([...world.kinds.values()].map((kind) => [kind.name, countLive(kind.store)]))

import { defaultsOf } from '../contracts/defaults.ts'
import { insert, remove as removeRow } from '../contracts/write.ts'
import { parseDate } from '../dates.ts'
import type { Kind, Ref, Values } from '../model.ts'
import { find } from '../query/find.ts'
import { countChange, countLive, findRow, idOf, rowOf } from '../store.ts'
import { parseWhere } from '../where/parser.ts'
import { kindNamed, touch, type World } from '../world.ts'
import { apply, colleague, kindFor, rowFor, type Plain } from './rows.ts'
import { truthOf, type Truth } from './truth.ts'

export type EditInput = { entity: string; id: string; values: Plain }
export type AddInput = { entity: string; values?: Plain; count?: number }
export type RemoveInput = { entity: string; ids?: string[]; random?: number }
export type MassInput = { entity: string; values: Plain; count?: number; where?: string; ids?: string[] }
export type ModifyDateInput = { entity: string; ids: string[]; at: string | null }
export type PeopleInput = { entity: string; after?: string | null; count?: number; where?: string; select?: string[] }

export type NotesInput = { person?: string; after?: string | null; count?: number }

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
    const row = insert(world, kind, { ...defaultsOf(world, kind, colleague), ...named }, at + n, colleague.userId)
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

/** Nothing else of the rows changes, as where a program writes to the database. */
export const setModifyDate = (world: World, { entity, ids, at }: ModifyDateInput): { ids: string[] } => {
  const ms = at === null ? null : parseDate(at)
  if (ms === undefined) throw new Error(`'${at}' is not a date`)
  for (const row of ids.map((id) => rowFor(world, entity, id))) {
    countChange(row)['ModifyDate'] = ms
    touch(world, row)
  }
  return { ids }
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

/** E-mails in Notes/History, of everybody or of one lead or contact. */
export const notes = (world: World, { person: id, ...page }: NotesInput) => {
  const whose = id === undefined ? '' : ` and (LeadId eq '${id}' or ContactId eq '${id}')`
  return people(world, { entity: 'history', where: `Type eq 'atEMail'${whose}`, ...page })
}

export const counts = (world: World): Record<string, number> =>
  Object.fromEntries([...world.kinds.values()].map((kind) => [kind.name, countLive(kind.store)]))

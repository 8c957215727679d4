import { coerce } from '../contracts/coerce.ts'
import { saveAddress, setValues } from '../contracts/write.ts'
import type { Kind, Row, Value, Values } from '../model.ts'
import { relationNamed } from '../query/scope.ts'
import { findRow } from '../store.ts'
import { kindNamed, kindOfEntity, type World } from '../world.ts'

export type Plain = Record<string, unknown>

/** Whoever works in the CRM while a client is connected: not the client's user. */
export const colleague = { userId: 'U6UJ9A000001' }

export const kindFor = (world: World, entity: string): Kind => {
  const kind = kindOfEntity(world, entity)
  if (kind === undefined) throw new Error(`There is no entity ${entity}`)
  return kind
}

export const rowFor = (world: World, entity: string, id: string): Row => {
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

export const apply = (world: World, row: Row, values: Plain, at: number): void => {
  const { own, address } = split(world, row.kind, values)
  if (Object.keys(own).length > 0) setValues(world, row, own, at, colleague.userId)
  if (address === undefined) return
  const relation = relationNamed(row.kind, 'Address')
  if (relation === undefined) throw new Error(`${row.kind.entity} has no address`)
  const inner = split(world, kindNamed(world, relation.target), address).own
  saveAddress(world, row, { relation, values: inner }, at, colleague.userId)
}

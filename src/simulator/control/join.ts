import { saveAddress, setValues } from '../contracts/write.ts'
import { read, type Kind, type Property, type Row, type Value, type Values } from '../model.ts'
import { related, relationNamed } from '../query/scope.ts'
import type { World } from '../world.ts'
import { colleague } from './rows.ts'

const trail = new Set(['CreateUser', 'CreateDate', 'ModifyUser', 'ModifyDate'])

export const valueOf = (row: Row, name: string): Value => {
  const property = row.kind.byName.get(name.toLowerCase())
  return property === undefined ? null : read(row, property)
}

const isBlank = (value: Value): boolean => value === null || (typeof value === 'string' && value.trim() === '')

/** What is kept for a person, its trail aside. */
export const keptBy = (kind: Kind): Property[] =>
  kind.properties.filter(({ name, slot, derive }) => derive === null && name === slot && !trail.has(name))

const addressOf = (world: World, row: Row): Row | undefined => {
  const relation = relationNamed(row.kind, 'Address')
  return relation && related(world, relation, row)
}

/** Gives a person without an address that of another one. */
export const takeAddress = (world: World, person: Row, from: Row, at: number): void => {
  const relation = relationNamed(person.kind, 'Address')
  const source = addressOf(world, from)
  if (relation === undefined || source === undefined || addressOf(world, person) !== undefined) return
  const values: Values = {}
  for (const property of keptBy(source.kind))
    if (!property.readOnly && property.name !== 'EntityId') values[property.slot] = read(source, property)
  saveAddress(world, person, { relation, values }, at, colleague.userId)
}

/** Fills what the person has blank; the person is dated now even if there was nothing to fill. */
export const fillBlanks = (world: World, person: Row, names: Property[], from: Row[], at: number): void => {
  const values: Values = {}
  for (const property of names) {
    if (!isBlank(read(person, property))) continue
    const found = from.map((row) => valueOf(row, property.name)).find((value) => !isBlank(value))
    if (found !== undefined) values[property.slot] = found
  }
  setValues(world, person, values, at, colleague.userId)
  for (const row of from) takeAddress(world, person, row, at)
}

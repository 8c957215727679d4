import { read, type Kind, type Property, type Row, type Value } from '../model.ts'
import { related } from '../query/scope.ts'
import { idOf } from '../store.ts'
import type { World } from '../world.ts'

export type Truth = { Id: string; Address?: Truth | null; [name: string]: Value | Truth | undefined }

/** Instants in full ISO form, dates as 2026-11-23, enums by name, decimals as text with every digit. */
const plain = (property: Property, value: Value): Value => {
  if (value === null) return null
  if (property.type === 'instant') return new Date(value as number).toISOString()
  if (property.type === 'date') return new Date(value as number).toISOString().slice(0, 10)
  if (property.enum !== null) return Object.entries(property.enum).find(([, number]) => number === value)?.[0] ?? value
  return value
}

const valuesOf = (row: Row, properties: Property[]): Truth => {
  const truth: Truth = { Id: idOf(row.kind.store, row.ref) }
  for (const property of properties) truth[property.name] = plain(property, read(row, property))
  return truth
}

/** A row as it is, whoever asks: hidden keys (`AccountId`, `OwnerId`) and secret properties included. */
export const truthOf = (world: World, row: Row, select?: string[]): Truth => {
  const { kind } = row
  const names = select === undefined ? undefined : new Set(select.map((name) => name.toLowerCase()))
  const wanted = (of: Kind, prefix = ''): Property[] =>
    of.properties.filter(({ name }) => name !== 'Id' && (names === undefined || names.has(prefix + name.toLowerCase())))
  const truth = valuesOf(row, wanted(kind))
  const address = kind.relations.find(({ name }) => name === 'Address')
  if (address === undefined) return truth
  const target = world.kinds.get(address.target.toLowerCase()) as Kind
  const inner = names?.has('address') ? target.properties : wanted(target, 'address/')
  if (names !== undefined && inner.length === 0) return truth
  const found = related(world, address, row)
  truth.Address =
    found === undefined
      ? null
      : valuesOf(
          found,
          inner.filter(({ name }) => name !== 'Id'),
        )
  return truth
}

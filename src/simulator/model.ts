import type { Index } from './query/indexes.ts'
import type { Store } from './store.ts'

/** Instants and dates are milliseconds (dates without time at 00:00:05 UTC), decimals are text so that no digit is lost. */
export type Value = string | number | boolean | null
export type Values = Record<string, Value>

export type PropertyType =
  | 'text'
  | 'memo'
  | 'email'
  | 'phone'
  | 'url'
  | 'picklist'
  | 'calculated'
  | 'boolean'
  | 'integer'
  | 'number'
  | 'decimal'
  | 'instant'
  | 'date'
  | 'id'
  | 'enum'

export type Storage = 'text' | 'code' | 'id'

export type Property = {
  name: string
  /** the name under which a row keeps its value: that of the property, unless a fault renamed it */
  slot: string
  label: string
  type: PropertyType
  length: number | null
  readOnly: boolean
  /** behind a relation: neither selected nor queried by name */
  hidden: boolean
  custom: boolean
  secret: boolean
  picklist: string | null
  storage: Storage
  enum: Record<string, number> | null
  /** the generated value of row n */
  make: (n: number) => Value
  /** computed from other values of the row, never stored */
  derive: ((row: Row) => Value) | null
}

/** Many-to-one: the key lies in a hidden property. */
export type Relation = { name: string; target: string; key: Property }
/** One-to-many: rows of `target` whose hidden or plain property `by` holds our id. */
export type Collection = { name: string; target: string; by: string }

/** A number is the index of a generated row, text is the id of an added one. */
export type Ref = number | string
export type Row = { kind: Kind; ref: Ref; own: Values | undefined }

export type Kind = {
  name: string
  entity: string
  table: string
  feed: boolean
  properties: Property[]
  byName: Map<string, Property>
  relations: Relation[]
  collections: Collection[]
  store: Store
  indexes: Map<string, Index>
  describe: (row: Row) => string
}

const nothing = (): Value => null

const label = (name: string): string =>
  name === 'Email' ? 'E-mail' : name.replaceAll(/([a-z])([A-Z0-9])/g, '$1 $2').replace(/^C (?=[A-Z])/, '')

export const property = (name: string, type: PropertyType, more: Partial<Property> = {}): Property => ({
  name,
  slot: name,
  label: label(name),
  type,
  length: null,
  readOnly: more.derive !== undefined,
  hidden: false,
  custom: false,
  secret: false,
  picklist: null,
  storage: 'text',
  enum: null,
  make: nothing,
  derive: null,
  ...more,
})

export const text = (
  name: string,
  length: number,
  make: (n: number) => Value = nothing,
  more: Partial<Property> = {},
) => property(name, 'text', { length, make, ...more })

/** `texts('Division 64, Ticker 16')`: properties that generated rows leave blank. */
export const texts = (list: string): Property[] =>
  list.split(',').map((item) => {
    const [name, length] = item.trim().split(' ')
    return text(String(name), Number(length))
  })

export const relation = (name: string, target: string, make: (n: number) => Value = nothing): Relation => ({
  name,
  target,
  key: property(`${name}Id`, 'id', { length: 12, hidden: true, make }),
})

export const id = property('Id', 'id', {
  length: 12,
  readOnly: true,
  derive: ({ kind, ref }) => (typeof ref === 'number' ? kind.store.ids.at(ref) : ref),
})

export const read = (row: Row, property: Property): Value => {
  if (property.derive !== null) return property.derive(row)
  const own = row.own?.[property.slot]
  if (own !== undefined) return own
  return typeof row.ref === 'number' ? property.make(row.ref) : null
}

export const kindOf = (
  parts: Omit<Kind, 'byName' | 'indexes' | 'feed' | 'collections' | 'relations'> & Partial<Kind>,
): Kind => {
  const relations = parts.relations ?? []
  const properties = [id, ...parts.properties, ...relations.map((relation) => relation.key)]
  return {
    feed: true,
    collections: [],
    ...parts,
    relations,
    properties,
    byName: new Map(properties.map((property) => [property.name.toLowerCase(), property])),
    indexes: new Map(),
  }
}

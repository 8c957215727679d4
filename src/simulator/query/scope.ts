import { unknownProperty } from '../diagnosis.ts'
import { read, type Kind, type Property, type Relation, type Row } from '../model.ts'
import { findRow, fold } from '../store.ts'
import type { Reader, Scope } from '../where/compile.ts'
import { kindNamed, type World } from '../world.ts'

export const propertyNamed = (world: World, kind: Kind, name: string): Property | undefined => {
  const property = kind.byName.get(name.toLowerCase())
  if (property === undefined || property.hidden) return undefined
  return world.missing.has(`${kind.entity}.${property.name}`.toLowerCase()) ? undefined : property
}

export const relationNamed = (kind: Kind, name: string): Relation | undefined => {
  const lower = name.toLowerCase()
  return kind.relations.find((relation) => relation.name.toLowerCase() === lower)
}

export const related = (world: World, relation: Relation, row: Row): Row | undefined => {
  const key = read(row, relation.key)
  return key === null ? undefined : findRow(kindNamed(world, relation.target), String(key))
}

export const readerOf =
  (property: Property): Reader<Row> =>
  (row) => {
    const value = read(row, property)
    return property.type === 'decimal' && value !== null ? Number(value) : value
  }

/** Conditions on related entities are inner joins: a row without the related one vanishes, whatever else the clause says (sdata.md 5.6). */
export const scopeOf = (world: World, kind: Kind, joins: ((row: Row) => boolean)[]): Scope<Row> => {
  const unknown = (name: string, of: Kind) => unknownProperty(world.settings.unknownPropertyStatus, name, of.entity)
  const readFrom = (from: Kind, path: string[]): Reader<Row> => {
    const [head = '', ...rest] = path
    if (rest.length === 0) {
      const property = propertyNamed(world, from, head) ?? relationNamed(from, head)?.key
      if (property === undefined) throw unknown(head, from)
      return readerOf(property)
    }
    const relation = relationNamed(from, head)
    if (relation === undefined) throw unknown(head, from)
    if (rest.length === 1 && rest[0]?.toLowerCase() === 'id') return readerOf(relation.key)
    const inner = readFrom(kindNamed(world, relation.target), rest)
    if (from === kind) joins.push((row) => related(world, relation, row) !== undefined)
    return (row) => {
      const found = related(world, relation, row)
      return found === undefined ? null : inner(found)
    }
  }
  return {
    read: (path) => readFrom(kind, path),
    fold: world.settings.collation === 'insensitive' ? fold : (text) => text.trimEnd(),
    now: () => world.now(),
  }
}

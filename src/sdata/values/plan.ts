import type { CrmField, CrmValue } from '../../domain/crm.ts'
import type { Row } from '../paging/feed.ts'
import { readerOf, type Reader } from './value.ts'

export type Plan = {
  /** one row's values; absent properties have no key */
  read(row: Row): Record<string, CrmValue>
  /** counts since the plan was made */
  rows(): number
  /** fields that no row had */
  absent(): string[]
  /** how often each field could not be read */
  unreadable(): [string, number][]
}

type Finder = (row: Row) => unknown

/** Finds properties of rows of one shape: by canonical name, else by the spelling that the server uses (1.7). */
const createSpelling = () => {
  const spellings = new Map<string, string>()
  const seen = new Set<string>()
  return (name: string): Finder => {
    const lower = name.toLowerCase()
    return (row) => {
      const value = row[name]
      if (value !== undefined) return value
      if (!spellings.has(lower)) {
        for (const key in row) {
          if (seen.has(key)) continue
          seen.add(key)
          spellings.set(key.toLowerCase(), key)
        }
      }
      const spelling = spellings.get(lower)
      return spelling === undefined ? undefined : row[spelling]
    }
  }
}

/** Id is the key; servers answer `select=Id` with `$key` alone. */
const orKey =
  (find: Finder): Finder =>
  (row) =>
    find(row) ?? row['$key']

const isLink = (row: Row): boolean => {
  for (const key in row) if (key === '$key' ? row[key] : !key.startsWith('$')) return true
  return false
}

/** Walks into a related object; a relation that is null, or an object without key and properties, makes everything below it blank (4.3). */
const into =
  (parent: Finder, child: Finder): Finder =>
  (row) => {
    const related = parent(row)
    if (related === undefined || related === null) return related
    if (typeof related !== 'object' || Array.isArray(related)) return undefined
    const value = child(related as Row)
    return value === undefined && !isLink(related as Row) ? null : value
  }

/** A stored picklist value as text; of several in one field each; unknown ones as they are. */
const toText = (texts: Map<string, string>, value: string): string => {
  const whole = texts.get(value) ?? texts.get(value.trim())
  if (whole !== undefined || !value.includes(',')) return whole ?? value
  const parts = value.split(',').map((part) => texts.get(part.trim()))
  return parts.every((part) => part !== undefined) ? parts.join(', ') : value
}

/** Precomputes how each field is found and read. `translate` gives the text of stored picklist items by field name. */
export const createPlan = (fields: CrmField[], translate: Map<string, Map<string, string>> = new Map()): Plan => {
  const levels = new Map<string, (name: string) => Finder>()
  const level = (path: string): ((name: string) => Finder) => {
    const known = levels.get(path) ?? createSpelling()
    levels.set(path, known)
    return known
  }
  const find = (segments: string[], path = ''): Finder => {
    const [name = '', ...rest] = segments
    const here = level(path)(name)
    return rest.length === 0 ? here : into(here, find(rest, `${path}/${name.toLowerCase()}`))
  }
  const names = fields.map(({ name }) => name)
  const finders = names.map((name) => (name === 'Id' ? orKey(find(['Id'])) : find(name.split('/'))))
  const readers: Reader[] = fields.map(({ name, type }) => readerOf(name, type))
  const texts = names.map((name) => translate.get(name))
  const present = names.map(() => 0)
  const failed = names.map(() => 0)
  let rows = 0
  // Copies of an object that has all the keys share its shape; keys that are added one by one cost half the reading.
  const whole: Record<string, CrmValue> = Object.fromEntries(names.map((name) => [name, null]))
  let lastWasWhole = true

  return {
    read(row) {
      rows += 1
      const values: Record<string, CrmValue> = lastWasWhole ? { ...whole } : {}
      lastWasWhole = true
      for (let at = 0; at < names.length; at += 1) {
        const raw = finders[at]!(row)
        const value = raw === undefined ? undefined : readers[at]!(raw)
        if (raw !== undefined) present[at]! += 1
        if (value === undefined) {
          if (raw !== undefined) failed[at]! += 1
          delete values[names[at]!]
          lastWasWhole = false
          continue
        }
        const stored = texts[at]
        values[names[at]!] = stored && typeof value === 'string' ? toText(stored, value) : value
      }
      return values
    },
    rows: () => rows,
    absent: () => names.filter((_, at) => present[at] === 0),
    unreadable: () => names.map((name, at): [string, number] => [name, failed[at]!]).filter(([, count]) => count > 0),
  }
}

import { hashText } from '../hash.ts'
import type { Kind, Property, PropertyType, Ref, Row, Value } from '../model.ts'
import { lowerBound, rowOf } from '../store.ts'

/** A hint where to look: gives more rows than asked, never fewer; the condition itself decides. */
export type Index = {
  note(row: Row): void
  /**
   * Rows whose value may lie between the two, both included; two nulls ask for rows without a value.
   * undefined where they are so many that a scan is as quick, or where the bounds are not of the property's kind, as `ModifyDate eq '2024'`.
   */
  between(low: Value, high: Value): Ref[] | undefined
}

const width = 2 ** 22

const instants = new Set<PropertyType>(['instant', 'date'])
const texts = new Set<PropertyType>(['text', 'memo', 'email', 'phone', 'url', 'picklist', 'id'])

/** 31 bits: instants by the second in their order, texts by a hash that ignores case and blanks. */
const bucketOf = (value: Value): number =>
  typeof value === 'number'
    ? Math.min(Math.max(Math.floor(value / 1000), 0), 2 ** 31 - 1)
    : hashText(String(value).trim().toUpperCase()) >>> 1

export const makeIndex = (
  kind: Kind,
  { type, make }: Property,
  read: (row: Row) => Value,
  alsoChanged: Iterable<number> = [],
): Index => {
  const packed = new Float64Array(kind.store.size)
  const empty: number[] = []
  let size = 0
  for (let n = 0; n < kind.store.size; n++) {
    const value = make(n)
    if (value === null) empty.push(n)
    else packed[size++] = bucketOf(value) * width + n
  }
  const sorted = packed.subarray(0, size).sort()
  const late = new Map<number, Set<Ref>>()
  const index: Index = {
    note(row) {
      const value = read(row)
      const bucket = value === null ? -1 : bucketOf(value)
      const refs = late.get(bucket)
      if (refs === undefined) late.set(bucket, new Set([row.ref]))
      else refs.add(row.ref)
    },
    between(low, high) {
      if (low === null && high === null) return [...new Set([...empty, ...(late.get(-1) ?? [])])]
      if (!(typeof (low ?? high) === 'string' ? texts : instants).has(type)) return undefined
      const from = low === null ? 0 : bucketOf(low)
      const to = high === null ? 2 ** 31 : bucketOf(high)
      const start = lowerBound(sorted, (item) => item < from * width)
      const end = lowerBound(sorted, (item) => item < (to + 1) * width)
      if (end - start > 1000 && end - start > sorted.length / 4) return undefined
      const found = new Set<Ref>()
      for (let at = start; at < end; at++) found.add((sorted[at] as number) % width)
      if (from === to) for (const ref of late.get(from) ?? []) found.add(ref)
      else for (const [bucket, refs] of late) if (bucket >= from && bucket <= to) for (const ref of refs) found.add(ref)
      return [...found]
    },
  }
  for (const n of kind.store.changed.keys()) index.note(rowOf(kind, n))
  for (const n of alsoChanged) index.note(rowOf(kind, n))
  for (const own of kind.store.added.values()) index.note({ kind, ref: String(own['$id']), own })
  return index
}

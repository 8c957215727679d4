import type { Kind, Ref, Row, Value } from '../model.ts'
import type { Range } from '../range.ts'
import { fold, idOf, lowerBound, rowOf } from '../store.ts'
import type { World } from '../world.ts'
import { scopeOf } from './scope.ts'

export type Order = { path: string[]; descending: boolean }

type Keyed = { ref: Ref; keys: Value[] }

const compareValues = (a: Value, b: Value): number => {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  return a < b ? -1 : 1
}

const ordering = (world: World, kind: Kind, order: Order[]) => {
  const scope = scopeOf(world, kind, [])
  const readers = order.map(({ path, descending }) => ({ read: scope.read(path), sign: descending ? -1 : 1 }))
  const keyOf = (row: Row, at: number): Value => {
    const value = readers[at]?.read(row) ?? null
    return typeof value === 'string' ? scope.fold(value) : value
  }
  return {
    keyOf,
    keyed: (row: Row): Keyed => ({ ref: row.ref, keys: readers.map((_reader, at) => keyOf(row, at)) }),
    compareKey: (a: Value, b: Value, at: number): number => compareValues(a, b) * (readers[at]?.sign ?? 1),
    compare(a: Keyed, b: Keyed): number {
      for (const [at, { sign }] of readers.entries()) {
        const result = compareValues(a.keys[at] ?? null, b.keys[at] ?? null)
        if (result !== 0) return result * sign
      }
      return 0
    },
  }
}

/** Nulls first, equal rows in the order in which they come. */
export const sortRefs = (world: World, kind: Kind, refs: Ref[], order: Order[]): Ref[] => {
  const rule = ordering(world, kind, order)
  return refs
    .map((ref) => rule.keyed(rowOf(kind, ref)))
    .sort((a, b) => rule.compare(a, b))
    .map(({ ref }) => ref)
}

/** The first `size` of the sorted rows, without sorting the others. */
export const topRefs = (world: World, kind: Kind, refs: Ref[], order: Order[], size: number): Ref[] => {
  if (size === 0) return []
  const rule = ordering(world, kind, order)
  const best: Keyed[] = []
  for (const ref of refs) {
    const row = rowOf(kind, ref)
    const worst = best.length === size ? best.at(-1) : undefined
    if (worst && rule.compareKey(rule.keyOf(row, 0), worst.keys[0] ?? null, 0) > 0) continue
    const entry = rule.keyed(row)
    if (worst && rule.compare(entry, worst) >= 0) continue
    if (worst) best.pop()
    best.splice(
      lowerBound(best, (other) => rule.compare(other, entry) <= 0),
      0,
      entry,
    )
  }
  return best.map(({ ref }) => ref)
}

/** Ids of generated rows ascend with their index, so that only added rows are compared by text. */
export const sortById = (kind: Kind, refs: Ref[]): Ref[] => {
  const generated = Uint32Array.from(refs.filter((ref) => typeof ref === 'number')).sort()
  const added = refs
    .filter((ref) => typeof ref === 'string')
    .map((ref) => ({ ref, key: fold(ref) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  const sorted: Ref[] = []
  let next = 0
  for (const { ref, key } of added) {
    while (next < generated.length && idOf(kind.store, generated[next] as number).toUpperCase() < key)
      sorted.push(generated[next++] as number)
    sorted.push(ref)
  }
  while (next < generated.length) sorted.push(generated[next++] as number)
  return sorted
}

/** The part of a list in id order that lies between two ids. */
export const within = (kind: Kind, refs: Ref[], { low, high }: Range): Ref[] => {
  const key = (ref: Ref): string => idOf(kind.store, ref).toUpperCase()
  const bound = (id: string, including: boolean): number => {
    const folded = fold(id)
    return lowerBound(refs, (ref) => (including ? key(ref) <= folded : key(ref) < folded))
  }
  const from = low ? bound(low.id, low.strict) : 0
  const to = high ? bound(high.id, !high.strict) : refs.length
  return from === 0 && to === refs.length ? refs : refs.slice(from, Math.max(from, to))
}

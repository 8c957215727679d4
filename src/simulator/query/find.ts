import type { Kind, Ref, Row } from '../model.ts'
import { countRange, liesBetween, placesOf, takeRange } from '../range.ts'
import { findRow, fold, isLive } from '../store.ts'
import { compile, type Reader } from '../where/compile.ts'
import type { Expression } from '../where/parser.ts'
import type { World } from '../world.ts'
import { candidates } from './access.ts'
import { cachedList, peekList } from './cache.ts'
import { resolveEnums } from './enums.ts'
import { scopeOf } from './scope.ts'
import { splitById } from './split.ts'
import { sortById, sortRefs, topRefs, within, type Order } from './sort.ts'

export type Query = {
  where?: Expression | undefined
  order: Order[]
  skip: number
  count: number
  /** rows that the user may see; `name` tells users apart */
  sees?: { name: string; test: (row: Row) => boolean } | undefined
}
/** So many candidates are looked through for each page; the matches among more are kept for the next one. */
const few = 2000

export type Found = { refs: Ref[]; total: number }

const filterRefs = (kind: Kind, refs: Iterable<Ref>, test: Reader<Row>): Ref[] => {
  const { changed, added } = kind.store
  const row: Row = { kind, ref: 0, own: undefined }
  const found: Ref[] = []
  for (const ref of refs) {
    row.ref = ref
    row.own = typeof ref === 'number' ? (changed.size === 0 ? undefined : changed.get(ref)) : added.get(fold(ref))
    if (test(row) === true) found.push(ref)
  }
  return found
}

const testOf = (world: World, kind: Kind, rest: Expression[], sees: Query['sees']): Reader<Row> => {
  const joins: ((row: Row) => boolean)[] = []
  const scope = scopeOf(world, kind, joins)
  const tests = rest.map((node) => compile(node, scope))
  return (row) =>
    tests.every((test) => test(row) === true) &&
    joins.every((join) => join(row)) &&
    (sees === undefined || sees.test(row))
}

/** Rows in order, and how many there are in all. Without an order rows come by id, as a clustered index gives them. */
export const find = (world: World, kind: Kind, query: Query): Found => {
  const { order, skip, count, sees } = query
  const where = query.where && resolveEnums(kind, query.where)
  const { range, keys, rest } = splitById(where)
  const { from, to } = placesOf(kind.store, range)
  const byId = order.length === 0 || (order[0]?.path.length === 1 && order[0].path[0]?.toLowerCase() === 'id')
  const backwards = order[0]?.descending === true

  const all = (): Ref[] => takeRange(kind.store, from, to, 0, Number.POSITIVE_INFINITY)
  const everything = (): Ref[] =>
    takeRange(
      kind.store,
      { generated: 0, added: 0 },
      { generated: kind.store.size, added: kind.store.addedList.length },
      0,
      Number.POSITIVE_INFINITY,
    )
  const matches = (): Ref[] => {
    if (rest.length === 0 && sees === undefined) return all()
    const key = `${JSON.stringify(rest)}|${sees?.name ?? ''}`
    const old = peekList(world, kind, key)
    if (old !== undefined) return within(kind, old, range)
    const test = testOf(world, kind, rest, sees)
    const near = (keys?.flatMap((id) => findRow(kind, id)?.ref ?? []) ?? candidates(world, kind, rest))?.filter((ref) =>
      isLive(kind.store, ref),
    )
    if (near !== undefined && near.length <= few) {
      const inside = near.filter((ref) => liesBetween(kind.store, ref, from, to))
      return sortById(kind, filterRefs(kind, new Set(inside), test))
    }
    const make = (): Ref[] =>
      near === undefined ? filterRefs(kind, everything(), test) : sortById(kind, filterRefs(kind, new Set(near), test))
    return within(kind, cachedList(world, kind, key, make), range)
  }

  if (byId) {
    const plain = rest.length === 0 && sees === undefined
    const list = plain ? undefined : matches()
    const total = list?.length ?? countRange(kind.store, from, to)
    const first = backwards ? Math.max(0, total - skip - count) : skip
    const size = backwards ? Math.max(0, Math.min(count, total - skip)) : count
    const refs = list ? list.slice(first, first + size) : takeRange(kind.store, from, to, first, size)
    return { refs: backwards ? refs.reverse() : refs, total }
  }
  const key = `${JSON.stringify(where ?? null)}|${JSON.stringify(order)}|${sees?.name ?? ''}`
  const old = peekList(world, kind, key)
  if (old === undefined && skip + count <= 2000) {
    const list = matches()
    return { refs: topRefs(world, kind, list, order, skip + count).slice(skip), total: list.length }
  }
  const sorted = old ?? cachedList(world, kind, key, () => sortRefs(world, kind, matches(), order))
  return { refs: sorted.slice(skip, skip + count), total: sorted.length }
}

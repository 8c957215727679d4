import type { Ids } from './ids.ts'
import type { Kind, Ref, Row, Values } from './model.ts'

/** Generated rows are functions of their index; only what differs from them is kept. */
export type Store = {
  size: number
  ids: Ids
  changed: Map<number, Values>
  removed: Set<number>
  removedList: number[]
  added: Map<string, Values>
  /** folded, ascending; `added` is keyed by the same text */
  addedList: string[]
  /** of `added`, those that were removed: an id is given once */
  spent: Set<string>
}

/** How MSSQL compares text by default: neither case nor trailing blanks count. */
export const fold = (text: string): string => text.trimEnd().toUpperCase()

export const makeStore = (ids: Ids, size: number): Store => ({
  size,
  ids,
  changed: new Map(),
  removed: new Set(),
  removedList: [],
  added: new Map(),
  addedList: [],
  spent: new Set(),
})

export const lowerBound = <Item>(list: ArrayLike<Item>, before: (item: Item) => boolean): number => {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (before(list[middle] as Item)) low = middle + 1
    else high = middle
  }
  return low
}

export const countLive = (store: Store): number => store.size - store.removed.size + store.added.size

export const idOf = ({ ids }: Store, ref: Ref): string => (typeof ref === 'number' ? ids.at(ref) : ref)

export const isLive = (store: Store, ref: Ref): boolean =>
  typeof ref === 'number' ? ref >= 0 && ref < store.size && !store.removed.has(ref) : store.added.has(fold(ref))

export const rowOf = (kind: Kind, ref: Ref): Row => {
  const { changed, added } = kind.store
  return { kind, ref, own: typeof ref === 'number' ? changed.get(ref) : added.get(fold(ref)) }
}

export const findRow = (kind: Kind, id: string): Row | undefined => {
  const { store } = kind
  const own = store.added.get(fold(id))
  if (own !== undefined) return { kind, ref: String(own['$id']), own }
  const n = store.ids.of(id.trimEnd())
  return isLive(store, n) ? rowOf(kind, n) : undefined
}

export const addRow = (kind: Kind, id: string, values: Values): Row => {
  const { added, addedList } = kind.store
  const key = fold(id)
  const own = { ...values, $id: id }
  if (!added.has(key))
    addedList.splice(
      lowerBound(addedList, (item) => item < key),
      0,
      key,
    )
  added.set(key, own)
  return { kind, ref: id, own }
}

/** The row's own values, made on the first change. */
export const ownOf = (row: Row): Values => {
  if (row.own !== undefined) return row.own
  const { changed } = row.kind.store
  row.own = changed.get(row.ref as number) ?? {}
  changed.set(row.ref as number, row.own)
  return row.own
}

/** The row's own values, its etag made another one. */
export const countChange = (row: Row): Values => {
  const own = ownOf(row)
  own['$changes'] = Number(own['$changes'] ?? 0) + 1
  return own
}

export const removeRow = ({ kind, ref }: Row): void => {
  const { added, addedList, removed, removedList, spent } = kind.store
  if (typeof ref === 'string') {
    const key = fold(ref)
    added.delete(key)
    spent.add(key)
    addedList.splice(
      lowerBound(addedList, (item) => item < key),
      1,
    )
    return
  }
  removed.add(ref)
  removedList.splice(
    lowerBound(removedList, (item) => item < ref),
    0,
    ref,
  )
}

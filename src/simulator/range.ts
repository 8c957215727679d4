import type { Ref } from './model.ts'
import { fold, lowerBound, type Store } from './store.ts'

/** Bounds on the id: `from` and `before` by default, made strict or inclusive by the flags. */
export type Range = { low?: { id: string; strict: boolean }; high?: { id: string; strict: boolean } }

/** A place in the order of ids: the next generated and the next added row. */
export type Place = { generated: number; added: number }

const placeOf = (store: Store, id: string, behind: boolean): Place => {
  const key = fold(id)
  let low = 0
  let high = store.size
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = store.ids.at(middle).toUpperCase()
    if (other < key || (behind && other === key)) low = middle + 1
    else high = middle
  }
  return {
    generated: low,
    added: lowerBound(store.addedList, (other) => other < key || (behind && other === key)),
  }
}

export const placesOf = (store: Store, { low, high }: Range): { from: Place; to: Place } => {
  const from = low ? placeOf(store, low.id, low.strict) : { generated: 0, added: 0 }
  const to = high ? placeOf(store, high.id, !high.strict) : { generated: store.size, added: store.addedList.length }
  return { from, to: { generated: Math.max(from.generated, to.generated), added: Math.max(from.added, to.added) } }
}

/** Whether a row lies at or behind the first place and before the second. */
export const liesBetween = ({ addedList }: Store, ref: Ref, from: Place, to: Place): boolean => {
  if (typeof ref === 'number') return ref >= from.generated && ref < to.generated
  const key = fold(ref)
  const [first, end] = [addedList[from.added], addedList[to.added]]
  return first !== undefined && key >= first && (end === undefined || key < end)
}

const removedBetween = ({ removedList }: Store, from: number, to: number): number =>
  lowerBound(removedList, (n) => n < to) - lowerBound(removedList, (n) => n < from)

export const countRange = (store: Store, from: Place, to: Place): number =>
  to.generated - from.generated - removedBetween(store, from.generated, to.generated) + to.added - from.added

/** Up to `count` rows in id order, the first `skip` left out. */
export const takeRange = (store: Store, from: Place, to: Place, skip: number, count: number): Ref[] => {
  let { generated, added } = from
  let left = skip
  if (to.added === added && removedBetween(store, generated, to.generated) === 0) {
    generated += skip
    left = 0
  }
  const refs: Ref[] = []
  const push = (ref: Ref): void => {
    if (left > 0) left--
    else refs.push(ref)
  }
  let nextAdded = added < to.added ? store.addedList[added] : undefined
  while (refs.length < count && (generated < to.generated || nextAdded !== undefined)) {
    if (nextAdded !== undefined && (generated >= to.generated || nextAdded < store.ids.at(generated).toUpperCase())) {
      push(String(store.added.get(nextAdded)?.['$id']))
      added++
      nextAdded = added < to.added ? store.addedList[added] : undefined
    } else {
      if (!store.removed.has(generated)) push(generated)
      generated++
    }
  }
  return refs
}

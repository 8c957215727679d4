import type { CrmEntity, CrmValue } from './crm.ts'
import type { EntryChanges, EntryKind, EntryWarning } from './run.ts'
import { sameValue } from './values.ts'

/** How long the entries of a preview are kept, and it can be applied. */
export const previewDays = 7

/** What an entry says was done, or would be. */
export type Deed = {
  kind: EntryKind
  code: string | null
  entity?: CrmEntity | null
  crmId: string | null
  changes?: EntryChanges | null
  warnings?: EntryWarning[] | null
}

const same = (a: unknown, b: unknown): boolean => sameValue(a as CrmValue | undefined, b as CrmValue | undefined)

const sameChanges = (a: EntryChanges, b: EntryChanges): boolean => {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].every((key) => {
    const [left, right] = [a[key], b[key]]
    if (left === undefined || right === undefined) return false
    return same(left.before, right.before) && same(left.after, right.after) && left.side === right.side
  })
}

/** Whether the values that go into another record are those that were shown; one that is `there` already need not go. */
export const goesAsShown = (shown: EntryChanges, now: EntryChanges, there: Record<string, CrmValue>): boolean => {
  const left = Object.entries(shown).filter(([key, { after }]) => key in now || !same(there[key], after))
  return sameChanges(Object.fromEntries(left), now)
}

/** The others who are written to as well (R4). */
const othersOf = (warnings: EntryWarning[] | null | undefined): string =>
  (warnings ?? [])
    .filter(({ code }) => code === 'alsoWritten')
    .flatMap(({ ids = [] }) => ids)
    .toSorted()
    .join()

/** Whether what would be done now is what was shown: the same, to the same person, value by value. Who would be created had no id then. */
export const isSameDeed = (shown: Deed, now: Deed): boolean =>
  shown.kind === now.kind &&
  shown.code === now.code &&
  (now.kind === 'created' || shown.crmId === null || shown.crmId === now.crmId) &&
  sameChanges(shown.changes ?? {}, now.changes ?? {}) &&
  othersOf(shown.warnings) === othersOf(now.warnings)

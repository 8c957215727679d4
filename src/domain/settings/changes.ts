import type { PullSettings, SyncSettings } from '../sync.ts'

/** Whether more is pulled than before, so that the next sync must read everybody (the paragraph after R14). */
export const widens = (before: PullSettings, after: PullSettings): boolean =>
  after.enabled &&
  (!before.enabled ||
    (after.addNew && !before.addNew) ||
    (after.updateExisting && !before.updateExisting) ||
    before.excludedFields.some((key) => !after.excludedFields.includes(key)))

/** Equal for lists and maps that differ in order only, which says nothing here. */
const canonical = (value: unknown): string => {
  if (!(value instanceof Object)) return String(value)
  const parts = Array.isArray(value) ? value.map(String) : Object.entries(value).map((each) => JSON.stringify(each))
  return parts.sort().join('\n')
}

/** Names of what a save changed, such as `push.fields`: for the audit trail, without any value. */
export const changedParts = (before: SyncSettings, after: SyncSettings): string[] =>
  (['push', 'pull'] as const).flatMap((side) => {
    const [was, is] = [before[side], after[side]] as [Record<string, unknown>, Record<string, unknown>]
    return Object.keys(is).flatMap((name) => (canonical(was[name]) === canonical(is[name]) ? [] : [`${side}.${name}`]))
  })

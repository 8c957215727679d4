import type { EntryChange } from './run.ts'

/**
 * What happened to a record beside the entries of runs: what people, programs and uploads did here, and what a run did to a record that it lists as
 * skipped (`taken`) or found the CRM to have, where our edit was to go (`seen`). `submitted`: by a form.
 */
export type EditKind = 'created' | 'edited' | 'submitted' | 'removed' | 'restored' | 'merged' | 'taken' | 'seen'

/** Column key → before and after, here; `side: 'crm'`: what a run saw there and wrote nowhere. What was absent before is missing. */
export type EditChanges = Record<string, Omit<EntryChange, 'side'> & { side?: 'crm' }>

/** Key → before and after; what was absent has no `before`. */
export type ValueChanges = Record<string, { before?: unknown; after: unknown }>

/** What a patch makes of values. */
export const changesBetween = (
  before: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, unknown>>,
): ValueChanges =>
  Object.fromEntries(
    Object.entries(patch).map(([key, after]) => {
      const old = before[key]
      return [key, old === undefined ? { after } : { before: old, after }]
    }),
  )

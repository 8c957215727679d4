import type { CrmEntity } from './crm.ts'

/**
 * An opt-out, or a new consent, on its way to the CRM. `waiting`: tried by itself. `written`: the CRM has confirmed it. `rejected`: needs a person. `held`:
 * waits for the connection. `superseded`: something else was said of the address before it was written.
 */
export const optOutStates = ['waiting', 'written', 'rejected', 'held', 'superseded'] as const
export type OptOutState = (typeof optOutStates)[number]

/** A person of the CRM who has it now, and when the CRM said so. `wrote`: by us; else it was so already. */
export type OptOutResult = { entity: CrmEntity; id: string; at: string; wrote: boolean }

/** What earlier attempts have found or done stays said. */
export const withEarlier = (earlier: readonly OptOutResult[], now: readonly OptOutResult[]): OptOutResult[] => {
  const known = new Map(earlier.map((each) => [`${each.entity}:${each.id}`, each]))
  for (const each of now)
    if (known.get(`${each.entity}:${each.id}`)?.wrote !== true || each.wrote)
      known.set(`${each.entity}:${each.id}`, each)
  return [...known.values()]
}

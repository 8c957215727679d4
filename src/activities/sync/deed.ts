import { pageGiven, type Given } from '../../db/run/given.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import { groupBy } from '../../domain/groupBy.ts'
import type { RunSource } from '../../domain/run.ts'
import { deedOf, undoneKinds, type Deed } from '../../domain/undo.ts'
import type { Dependencies } from '../dependencies.ts'

const mostEntries = 1_000_000

export type Chains = Map<string, Given[]>

/** All that the run did to some records in one direction, by record. */
export const chainsOf = async (
  { db }: Dependencies,
  plan: SyncPlan,
  source: RunSource,
  push: boolean,
  records: readonly string[],
): Promise<Chains> => {
  if (records.length === 0) return new Map()
  const which = { push, kinds: undoneKinds, records }
  const of = { accountId: plan.accountId, listId: plan.listId, source }
  return groupBy(await pageGiven(db, of, which, source.runId, mostEntries), ({ recordId }) => recordId)
}

/** Of a page of entries the records whose first entry is on it: one that has several is looked at once. */
export const begunOn = async (
  deps: Dependencies,
  plan: SyncPlan,
  source: RunSource,
  push: boolean,
  page: Given[],
): Promise<Chains> => {
  const here = new Set(page.map(({ id }) => id))
  const records = [...new Set(page.flatMap(({ recordId }) => recordId ?? []))]
  return new Map([...(await chainsOf(deps, plan, source, push, records))].filter(([, [first]]) => here.has(first!.id)))
}

const isTold = (pair: readonly [string, Deed | undefined]): pair is [string, Deed] => pair[1] !== undefined

/** Deeds of the records that an undo looks at. */
export const deedsOf = (chains: Chains, push: boolean): Map<string, Deed> =>
  new Map([...chains].flatMap(([id, chain]) => [[id, deedOf(chain, push)] as const].filter(isTold)))

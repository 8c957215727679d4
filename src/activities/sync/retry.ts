import * as lanes from '../../db/lane.ts'
import type { LanePlan } from '../../db/lane.ts'
import { pageGiven, type Given } from '../../db/run/given.ts'
import type * as runs from '../../db/run/state.ts'
import { takeGiven } from '../../db/sync/pending.ts'
import { planOf } from '../../db/sync/plan.ts'
import type { CrmEntity } from '../../domain/crm.ts'
import type { RunSource } from '../../domain/run.ts'
import type { Dependencies } from '../dependencies.ts'

const kinds: readonly Given['kind'][] = ['skipped', 'rejected']
/** Entries that are read together. */
const pageSize = 500

type Retry = Pick<runs.Run, 'accountId' | 'listId'> & { settings: { source?: RunSource } }

/** R23: a run that tries again what another one has skipped or rejected, and nothing else. */
export const isRetry = ({ settings }: Pick<Retry, 'settings'>): boolean => settings.source?.as === 'retry'

const page = ({ db }: Dependencies, { accountId, listId, settings }: Retry, push: boolean, after: string | null) =>
  pageGiven(db, { accountId, listId: listId!, source: settings.source! }, { push, kinds }, after, pageSize)

/** Lanes of the pull: one, where people of the CRM are to be read again. */
export const retriedRanges = async (deps: Dependencies, run: Retry): Promise<LanePlan['ranges']> =>
  (await page(deps, run, false, null)).some(({ crmId }) => crmId !== null)
    ? [{ after: null, upTo: null, kind: 'given' }]
    : []

/** People of one entity whom the run is to read again, behind an entry, and the entry to go on after. */
export const pageRetried = async (
  deps: Dependencies,
  run: Retry,
  after: string | null,
): Promise<{ entity: CrmEntity | null; ids: string[]; next: string | null }> => {
  const entries = await page(deps, run, false, after)
  const entity = entries.find(({ crmEntity }) => crmEntity !== null)?.crmEntity ?? null
  const other = entries.findIndex(({ crmEntity }) => crmEntity !== null && crmEntity !== entity)
  const taken = other === -1 ? entries : entries.slice(0, other)
  const ids = taken.flatMap(({ crmId }) => (crmId === null ? [] : [crmId]))
  const isLast = other === -1 && entries.length < pageSize
  return { entity, ids: [...new Set(ids)], next: isLast ? null : (taken.at(-1)?.id ?? null) }
}

/** Puts the records that the push is to try again where it takes what was put off from, once. Answers how many. */
export const takeRetried = async (deps: Dependencies, run: runs.Run): Promise<number> => {
  if ((await lanes.all(deps.db, run.id, 'push')).length > 0) return 0
  const plan = await planOf(deps.db, deps.secrets, run)
  let after: string | null = null
  let taken = 0
  do {
    const entries: Given[] = await page(deps, run, true, after)
    const ids = entries.flatMap(({ recordId }) => (recordId === null ? [] : [recordId]))
    taken += await takeGiven(deps.db, plan, run.id, ids)
    after = entries.length < pageSize ? null : (entries.at(-1)?.id ?? null)
  } while (after !== null)
  return taken
}

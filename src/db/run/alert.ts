import { inArray, or, sql, type SQL } from 'drizzle-orm'
import { comparesKeys, standsAside, type RunError, type RunKind, type RunState } from '../../domain/run.ts'
import * as alerts from '../alert.ts'
import type { Transaction } from '../outbox.ts'
import { noteParked } from '../quarantine/alert.ts'
import { alerts as rows, type runs } from '../schema.ts'

type Run = Pick<
  typeof runs.$inferSelect,
  'id' | 'accountId' | 'kind' | 'listId' | 'segmentId' | 'messageId' | 'settings'
>

const ranAs = (kinds: readonly RunKind[]): SQL => inArray(sql`${rows.details} ->> 'run'`, [...kinds])

/**
 * What a run that succeeds makes good: what runs like it left undone. A sync does not look for who is gone, a sweep or an undo pushes nothing; but a
 * sweep settles what a sync could only suspect.
 */
const healedBy = (run: RunKind): SQL | undefined => {
  const once = ['import', 'undo'] as const
  if (run === 'send' || run === 'notes') return ranAs([run])
  if (!comparesKeys(run)) return ranAs(run === 'undo' ? ['undo'] : [...once, 'sync'])
  return or(
    ranAs([...once, 'sweep', 'verify']),
    inArray(sql`${rows.details} ->> 'code'`, ['notBalanced', 'massDeletion']),
  )
}

/**
 * What the end of a run tells people: that it is not as it should be, or that all is well again. Whoever uploads or previews sees its end, and
 * whoever cancels has asked for it.
 */
export const noteEnding = async (
  tx: Transaction,
  { id: runId, accountId, kind: run, listId, segmentId, messageId, settings }: Run,
  { state, error }: { state: RunState; error: RunError | null },
): Promise<void> => {
  const subject = messageId ?? segmentId ?? listId
  if (subject === null || standsAside(run)) return
  if (run === 'sync' && listId !== null) await noteParked(tx, accountId, listId)
  const details = { runId, run, code: error?.code ?? null }
  if (state === 'failed') await alerts.raise(tx, accountId, { kind: 'runFailed', subject, details })
  // what a comparison of keys has left for a person stays what the alert says
  const unless = comparesKeys(run) ? {} : { unless: ranAs(['sweep', 'verify']) }
  if (state === 'incomplete') await alerts.raise(tx, accountId, { kind: 'runIncomplete', subject, details, ...unless })
  // a retry has tried some of what a run left undone
  if (state === 'succeeded' && settings.source?.as !== 'retry')
    await alerts.resolve(tx, accountId, { kind: 'runIncomplete', subject, where: healedBy(run) })
  if (state === 'succeeded' || state === 'incomplete')
    await alerts.resolve(tx, accountId, { kind: 'runFailed', subject })
}

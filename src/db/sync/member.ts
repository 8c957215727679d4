import { sql as query } from 'drizzle-orm'
import type { RunSegment } from '../../domain/run.ts'
import * as accounts from '../account.ts'
import type { Sql } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { matching } from '../record/read.ts'
import type { Run } from '../run/state.ts'
import { records } from '../schema.ts'
import type { SecretBox } from '../secret.ts'
import { open } from '../segment/read.ts'
import type { SyncPlan } from './plan.ts'

/**
 * P2: writes down who is in the segment of a run, of those whom a push could look at, and answers the segment as it is at this moment. Once, when the
 * run begins: who joins or leaves it later changes nothing. Errors: notFound, segmentBroken.
 */
export const chooseMembers = async (
  tx: Transaction,
  secrets: SecretBox,
  { id: runId, accountId, segmentId, connectionId }: Run,
): Promise<RunSegment> => {
  const { segment, list } = await open(tx, accountId, segmentId!)
  const { timeZone } = await accounts.get(tx, accountId)
  const clock = { now: new Date(), timeZone }
  const of = { filter: segment.definition, clock }
  const matches = await matching(tx, secrets, accountId, { id: list.id, connectionId }, of)
  const taken = await tx.execute(query`
    insert into run_members (run_id, record_id, account_id)
    select ${runId}::uuid, ${records.id}, ${records.accountId} from ${records}
    where (${records.agreed} <> '{}' or ${records.crmId} is null) and ${matches}
    on conflict do nothing`)
  const { id, name, version } = segment
  return { id, name, version, members: taken.count }
}

/** Whether a record is one of those that the run pushes; `id` is the record's. */
export const ofMembers = (
  sql: Sql,
  { ofSegment }: Pick<SyncPlan, 'ofSegment'>,
  runId: string,
  id: ReturnType<Sql>,
): ReturnType<Sql> =>
  ofSegment
    ? sql`exists (select from run_members m where m.run_id = ${runId}::uuid and m.record_id = ${id})`
    : sql`true`

import type { CrmFound } from '../../domain/crm.ts'
import type { Gone } from '../../domain/gone.ts'
import type { Sql } from '../database.ts'
import type * as lanes from '../lane.ts'
import { insertEntries, renewEntries, type NewEntry } from '../run/record.ts'
import { keepLate } from './late.ts'
import { mergeRecords } from './merge.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import { linkedRows, lockedRows, type SyncRow } from './rows.ts'

type Context = { plan: SyncPlan; key: lanes.LaneKey }

const mark = (sql: Sql, { plan, key }: Context, { id, entity, fate }: Gone) => {
  const state = fate.kind === 'converted' || fate.kind === 'merged' ? fate.kind : 'deletedInCrm'
  const to = 'to' in fate ? fate.to : null
  return sql`
    insert into crm_people (connection_id, entity, crm_id, account_id, state, successor_entity, successor_id, run_id)
    values (${plan.connectionId}::uuid, ${entity}, ${id}, ${plan.accountId}::uuid, ${state}, ${to?.entity ?? null}, ${to?.person.id ?? null}, ${key.runId}::uuid)
    on conflict (connection_id, entity, crm_id) do update set state = excluded.state, successor_entity = excluded.successor_entity,
      successor_id = excluded.successor_id, run_id = excluded.run_id, since = now()`
}

/** R16: the record follows the person; where that person is on the list already, the two become one. */
const follow = async (
  sql: Sql,
  { plan, key }: Context,
  row: SyncRow,
  {
    id,
    entity,
    fate,
  }: Gone & { fate: { kind: 'converted' | 'merged'; to: { entity: 'lead' | 'contact'; person: CrmFound } } },
): Promise<void> => {
  const { to } = fate
  const other = (await linkedRows(sql, plan, to.entity, [to.person.id])).get(to.person.id)
  const entry = { kind: 'relinked' as const, code: fate.kind, recordId: row.id, crmId: to.person.id, entity: to.entity }
  const warnings = [{ code: 'was', ids: [id] }]
  if (other === undefined) {
    await sql`
      update records set crm_entity = ${to.entity}, crm_id = ${to.person.id}, version = version + 1, updated_at = now() where id = ${row.id}::uuid`
    await insertEntries(sql, targetFor(plan, entity), key.runId, key.phase, [{ ...entry, warnings }])
    return
  }
  const rows = await lockedRows(sql, plan, [row.id, other.id])
  const [from, into] = [rows.get(row.id), rows.get(other.id)]
  if (from === undefined || into === undefined) return
  const changes = await mergeRecords(sql, plan, from, into, 'edited')
  const both = [...warnings, { code: 'mergedIntoRecord', ids: [into.id] }]
  await insertEntries(sql, targetFor(plan, entity), key.runId, key.phase, [{ ...entry, changes, warnings: both }])
}

/**
 * People who do not answer to their own key any more: marked, or followed to whom they became (R15, R16). Answers the people that records were
 * re-linked to, whose values are to be compared. Counts stand beside the sum, but for those that are left for later.
 */
export const settleGone = async (
  sql: Sql,
  context: Context,
  gone: Gone[],
  counts: lanes.LaneCounts,
): Promise<{ entity: 'lead' | 'contact'; person: CrmFound }[]> => {
  const { plan, key } = context
  const successors: { entity: 'lead' | 'contact'; person: CrmFound }[] = []
  for (const each of gone) {
    const { id, entity, fate } = each
    const row = (await linkedRows(sql, plan, entity, [id])).get(id)
    const target = targetFor(plan, entity)
    const subject = { crmId: id, entity, ...(row === undefined ? {} : { recordId: row.id }) }
    const skip = async (code: string, warnings: NewEntry['warnings'] = []): Promise<void> => {
      const entry: NewEntry = { ...subject, kind: 'skipped', code, warnings }
      const skipped = await renewEntries(sql, target, key.runId, key.phase, [entry])
      counts.skipped += skipped
      counts.read += skipped
    }
    if (fate.kind === 'doubtful') {
      await skip('massDeletion')
      if (entity === plan.own) await keepLate(sql, plan, entity, [id])
      continue
    }
    await mark(sql, context, each)
    if (row === undefined || row.removed) continue
    if (fate.kind === 'undecided') await skip('needsDecision', [{ code: 'candidates', ids: fate.candidates }])
    else if (fate.kind === 'deleted') {
      counts.deleted += 1
      await insertEntries(sql, target, key.runId, key.phase, [{ ...subject, kind: 'deleted', code: 'deletedInCrm' }])
    } else {
      counts.relinked += 1
      await follow(sql, context, row, { ...each, fate })
      successors.push(fate.to)
    }
  }
  return successors
}

import type { CrmValue } from '../../domain/crm.ts'
import type { ValueChanges } from '../../domain/edit.ts'
import { agreedBefore, isEdited, type AgreedValues } from '../../domain/sync.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { isBlank, sameValue } from '../../domain/values.ts'
import type { Sql } from '../database.ts'
import * as edits from '../edit.ts'
import { emailHexOf } from '../emailKey.ts'
import { keepLate } from './late.ts'
import type { SyncPlan } from './plan.ts'
import { foresee } from './preview.ts'
import { writeRows, type SyncRow } from './rows.ts'

/** What `into` takes over: values, what they are pending against, and how the entry shows them. */
export const planMerge = (plan: SyncPlan, from: SyncRow, into: SyncRow, which: 'all' | 'edited') => {
  const bound = new Set(plan.columns.filter(({ field }) => !field.readOnly).map(({ key }) => key))
  const known = new Set(plan.columns.map(({ key }) => key))
  const patch: Record<string, CrmValue> = {}
  const agreed: AgreedValues = { ...into.agreed }
  const changes: ValueChanges = {}
  const at = new Date().toISOString()
  for (const [key, value] of Object.entries(from.fields)) {
    if (isBlank(value) || sameValue(value, into.fields[key])) continue
    // what is held was edited by nobody
    if (which === 'edited' && !isEdited(from.agreed[key]) && known.has(key)) continue
    if (known.has(key) && !bound.has(key)) continue
    const before = into.fields[key]
    // a column of ours alone: what is there stays
    if (!known.has(key) && !isBlank(before)) continue
    patch[key] = value
    changes[key] = { ...(before === undefined ? {} : { before }), after: value }
    if (known.has(key) && !isEdited(agreed[key])) agreed[key] = agreedBefore(agreed[key], before, at)
  }
  return { patch, agreed, changes }
}

/**
 * One person, two records of one list (R1, R16): the values that were given here for `from` become edits of `into`, which stays; `from` goes from
 * the list. An `into` that was removed is there again. Both rows are locked. Answers what changed on `into`, which both records' timelines say.
 */
export const mergeRecords = async (
  sql: Sql,
  plan: SyncPlan,
  from: SyncRow,
  into: SyncRow,
  which: 'all' | 'edited',
  runId?: string,
): Promise<ValueChanges> => {
  const { patch, agreed, changes } = planMerge(plan, from, into, which)
  if (plan.previewId !== null) {
    await foresee(sql, plan, [
      { row: into, patch, agreed, removed: false },
      { row: from, agreed: {}, removed: true },
    ])
    return changes
  }
  if (Object.keys(patch).length > 0) {
    const email = emailKeyColumn in patch ? { emailKey: emailHexOf(plan.hashKey, patch[emailKeyColumn]) } : {}
    await writeRows(sql, plan.listId, [{ id: into.id, version: into.version, patch, agreed, ...email }])
  }
  // somebody wants the person on the list again
  if (into.removed) {
    await sql`update records set removed_at = null, version = version + 1, updated_at = now() where id = ${into.id}::uuid`
    if (plan.own !== null && into.entity !== null && into.crmId !== null)
      await keepLate(sql, plan, into.entity, [into.crmId])
  }
  // an external id goes along; where the other has one of its own it stays, and leads there by merged_into
  const [moved] = await sql<{ externalId: string | null }[]>`
    update records t set removed_at = now(), merged_into = ${into.id}::uuid, agreed = '{}', version = t.version + 1, updated_at = now(),
      external_id = case when o.external_id is null then null else t.external_id end
    from records o where t.id = ${from.id}::uuid and o.id = ${into.id}::uuid
    returning case when o.external_id is null then old.external_id end as "externalId"`
  if (moved?.externalId != null)
    await sql`update records set external_id = ${moved.externalId} where id = ${into.id}::uuid`
  await edits.insert(sql, { ...plan, runId }, [
    ...(into.removed ? [{ recordId: into.id, kind: 'restored' as const, otherId: from.id }] : []),
    { recordId: into.id, kind: 'merged', otherId: from.id, changes },
    { recordId: from.id, kind: 'merged', otherId: into.id },
  ])
  return changes
}

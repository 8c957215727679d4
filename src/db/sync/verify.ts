import type { CrmEntity, CrmPerson } from '../../domain/crm.ts'
import { fit } from '../../domain/decide.ts'
import { sameValue } from '../../domain/values.ts'
import { isEdited } from '../../domain/sync.ts'
import type { EntryChanges } from '../../domain/run.ts'
import type { Database, Sql } from '../database.ts'
import { withoutErased } from '../erasure/known.ts'
import { hashesOf, skipErased, skipUnreadable } from '../erasure/skip.ts'
import * as lanes from '../lane.ts'
import { rejectUnreadable, renewEntries, type NewEntry } from '../run/record.ts'
import { addWarnings } from '../run/warning.ts'
import { settleGone } from './gone.ts'
import { keepLate } from './late.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import type { PullPage } from './pull.ts'
import { linkedRows, type SyncRow } from './rows.ts'

/** Fields of a record that are not what the CRM has: `before` here, `after` there. Columns that are not pulled may differ. */
const differences = (plan: SyncPlan, row: SyncRow, entity: CrmEntity, { values }: CrmPerson): EntryChanges => {
  const changes: EntryChanges = {}
  for (const { key, field, pulled } of plan.of[entity].columns) {
    const theirs = values[field.name]
    const own = row.fields[key]
    if (theirs === undefined || !pulled || sameValue(fit(field, own ?? null).value, theirs)) continue
    changes[key] = { ...(own === undefined ? {} : { before: own }), after: theirs }
  }
  return changes
}

const reasonOf = (keys: string[], { agreed }: SyncRow): string => {
  if (keys.some((key) => agreed[key] === undefined)) return 'differsHere'
  return keys.some((key) => isEdited(agreed[key])) ? 'pendingHere' : 'heldHere'
}

/** Compares a page, value by value, and lists what differs; the next sync reads those people again, which repairs them. Writes nothing else. */
export const storeVerified = (db: Database, plan: SyncPlan, key: lanes.LaneKey, page: PullPage): Promise<lanes.Moved> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const target = targetFor(plan, page.entity)
    const { people, erased } = withoutErased({ ...plan, entity: page.entity }, page.rows)
    const { unreadable, erased: unread } = await skipUnreadable(sql, target, key.runId, key.phase, page.unreadable)
    const counts = { ...lanes.noLaneCounts(), read: page.rows.length + unread }
    counts.skipped = unread + (await skipErased(sql, target, key.runId, key.phase, hashesOf(target, erased)))
    const ids = people.map(({ id }) => id)
    const rows = await linkedRows(sql, plan, page.entity, ids)
    const skips: NewEntry[] = []
    people.forEach((person) => {
      const { id } = person
      const row = rows.get(id)
      const skip = (code: string, changes: EntryChanges = {}): void =>
        void skips.push({
          kind: 'skipped',
          code,
          crmId: id,
          changes,
          ...(row === undefined ? {} : { recordId: row.id }),
        })
      if (row === undefined) return skip('missingHere')
      if (row.removed) return skip('removedHere')
      const changes = differences(plan, row, page.entity, person)
      const keys = Object.keys(changes)
      if (keys.length === 0) counts.unchanged += 1
      else skip(reasonOf(keys, row), changes)
    })
    counts.skipped += await renewEntries(sql, target, key.runId, key.phase, skips)
    const rejected = await rejectUnreadable(sql, target, key.runId, key.phase, unreadable)
    counts.rejected += rejected
    counts.read += rejected
    const differing = skips.filter(({ code }) => code === 'differsHere').map(({ crmId }) => crmId!)
    await keepLate(sql, plan, page.entity, differing)
    await settleGone(sql, { plan, key }, page.gone, counts)
    await addWarnings(sql, { runId: key.runId, listId: plan.listId }, page.warnings)
    return lanes.advance(sql, key, { cursor: page.next, done: page.next === null, counts })
  }) as Promise<lanes.Moved>

import { absentOf, thereOf, type Answer } from '../../domain/ask.ts'
import type { Gone } from '../../domain/gone.ts'
import { compareSets, type Database, type Sql } from '../database.ts'
import { prepare, storePeople, type PageTarget } from '../import/page.ts'
import { markSwept } from '../erasure/fence.ts'
import { isErasedId, withoutErased } from '../erasure/known.ts'
import * as lanes from '../lane.ts'
import { insertEntries, rejectUnreadable, renewEntries } from '../run/record.ts'
import { addWarnings } from '../run/warning.ts'
import { markDeleted, relink, type Doubted, type SweepTarget, type Swept } from './compare.ts'
import { unmark } from '../sync/rows.ts'

type Target = SweepTarget & PageTarget

const count = (sql: Sql, key: lanes.LaneKey, counts: Partial<lanes.LaneCounts>) =>
  lanes.advance(sql, key, { cursor: null, done: true, counts: { ...lanes.noLaneCounts(), ...counts } })

const inTransaction = <T>(db: Database, work: (sql: Sql) => Promise<T>): Promise<T> =>
  db.$client.begin((tx) => work(tx as unknown as Sql)) as Promise<T>

const seenAgain = (crmId: string) => ({ kind: 'relinked' as const, code: 'seenAgain', crmId })
const goneDuring = (crmId: string) => ({ kind: 'changedDuring' as const, code: 'goneDuring', crmId })

/**
 * Ids that the CRM has and the list has not. Those that it delivers are stored, and listed with whether they came while the run
 * was reading; those that it no longer has went meanwhile.
 */
export const settleMissing = (
  db: Database,
  key: lanes.LaneKey,
  target: Target,
  mark: string | null,
  answer: Answer,
): Promise<void> =>
  inTransaction(db, async (sql) => {
    const { people, erased } = withoutErased(target, answer.found)
    const counts = await storePeople(sql, target, key.runId, 'sweep', prepare(target, answer.found))
    const unreadable = answer.unreadable.filter(({ id }) => !isErasedId(target, id))
    await markSwept(
      sql,
      target.accountId,
      erased.map(({ id }) => `${target.entity}:${id}`),
      target.hashKey,
    )
    await insertEntries(sql, target, key.runId, 'sweep', [
      ...people.map(({ id, values }) => ({
        kind: 'changedDuring' as const,
        code:
          mark !== null && typeof values['CreateDate'] === 'string' && values['CreateDate'] <= mark
            ? 'foundBySweep'
            : 'addedDuring',
        crmId: id,
      })),
      ...absentOf(answer).map(goneDuring),
    ])
    const rejected = await rejectUnreadable(sql, target, key.runId, 'sweep', unreadable)
    await addWarnings(sql, { runId: key.runId, listId: target.listId }, answer.warnings)
    await count(sql, key, { ...counts, read: counts.read + rejected, rejected })
  })

/** Ids that the CRM has and the list has not, and that nobody wants on it (R15). */
export const settleUnwanted = (db: Database, key: lanes.LaneKey, target: Target, ids: string[]): Promise<void> =>
  inTransaction(db, async (sql) => {
    const skips = ids.map((id) => ({ kind: 'skipped' as const, code: 'notAdded', crmId: id }))
    const skipped = await renewEntries(sql, target, key.runId, 'sweep', skips)
    await count(sql, key, { read: skipped, skipped })
  })

/** Ids that the list has and the sweep did not see, and that are there when asked by name, which was after `at`. */
export const settleCame = (
  db: Database,
  key: lanes.LaneKey,
  target: Target,
  ids: string[],
  at: string,
): Promise<void> =>
  inTransaction(db, async (sql) => {
    const back = await unmark(sql, target, ids, at)
    const came = ids.map((id) => ({ kind: 'changedDuring' as const, code: 'cameDuring', crmId: id }))
    await insertEntries(sql, target, key.runId, 'sweep', [...came, ...back.map(seenAgain)])
    await count(sql, key, {})
  })

/** Those of them whom this run has listed as deleted already: the mark was taken away, and they are gone all the same. */
const listedDeleted = async (sql: Sql, target: Target, runId: string, ids: string[]): Promise<Set<string>> => {
  const rows = await sql<{ id: string }[]>`
    select crm_id as id from entries where list_id = ${target.listId}::uuid and last_run_id = ${runId}::uuid and code = 'deletedInCrm'
      and crm_id = any(string_to_array(${ids.join('\n')}::text, E'\n'))`
  return new Set(rows.map(({ id }) => id))
}

/** People whom the list has and the CRM has not. */
export const settleDeleted = (db: Database, key: lanes.LaneKey, target: Target, people: Gone[]): Promise<void> =>
  inTransaction(db, async (sql) => {
    const marked = await markDeleted(sql, key.runId, target, people)
    const before = await listedDeleted(sql, target, key.runId, marked)
    const deleted = marked.filter((id) => !before.has(id))
    const entries = deleted.map((id) => ({ kind: 'deleted' as const, code: 'deletedInCrm', crmId: id }))
    await insertEntries(sql, target, key.runId, 'sweep', entries)
    await count(sql, key, { deleted: deleted.length })
  })

/** People that were taken to be gone and are there again. */
export const settleReturned = (db: Database, key: lanes.LaneKey, target: Target, run: Swept): Promise<void> =>
  compareSets(db, async (sql) => {
    const back = await relink(sql, run, target)
    await insertEntries(sql, target, key.runId, 'sweep', back.map(seenAgain))
    await count(sql, key, {})
  })

/** People of whom the run and the marks say different things: there, or gone since the run saw them. */
export const settleDoubted = (
  db: Database,
  key: lanes.LaneKey,
  target: Target,
  { at, people }: Doubted,
  answer: Answer,
): Promise<void> =>
  inTransaction(db, async (sql) => {
    const found = thereOf(answer)
    const asked = new Set(answer.asked)
    const of = (said: boolean, there: boolean): string[] =>
      people
        .filter((each) => asked.has(each.id) && each.said === said && found.has(each.id) === there)
        .map(({ id }) => id)
    const back = await unmark(sql, target, of(false, true), at)
    await sql`
      delete from entries where last_run_id = ${key.runId}::uuid and list_id = ${target.listId}::uuid and code = 'goneDuring'
        and crm_id = any(string_to_array(${of(true, true).join('\n')}::text, E'\n'))`
    const gone = of(true, false).map((id) => ({ id, heir: null }))
    await markDeleted(sql, key.runId, target, gone)
    await insertEntries(sql, target, key.runId, 'sweep', [...back.map(seenAgain), ...of(false, false).map(goneDuring)])
    await count(sql, key, {})
  })

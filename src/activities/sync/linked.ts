import type { CrmEntity, CrmWarning } from '../../domain/crm.ts'
import type { CrmSaid } from '../../domain/errors.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import { absentOf } from '../../domain/ask.ts'
import { askPeople } from '../ask.ts'
import { judgeGone } from './gone.ts'
import { settled, type Job, type Question } from './job.ts'

export const rejectedUnread = (row: SyncRow, crm: CrmSaid): Job =>
  settled(row, { kind: 'rejected', code: 'crmFailed', crm })

/** People whom records are linked to, as they are now. Who does not come is asked for by key alone before being judged. */
export const readLinked = async (
  question: Question,
  entity: CrmEntity,
  rows: SyncRow[],
  warnings: CrmWarning[],
): Promise<Map<string, Job>> => {
  const { crm, plan, options } = question
  const jobs = new Map<string, Job>()
  if (rows.length === 0) return jobs
  const ids = rows.map(({ crmId }) => crmId!)
  const answer = await askPeople({ crm, entity, options }, plan.of[entity].fields, ids)
  warnings.push(...answer.warnings)
  const people = new Map(answer.found.map((person) => [person.id, person]))
  const broken = new Map(answer.unreadable.map(({ id, crm: said }) => [id, said]))
  const gone = await judgeGone(question, entity, absentOf(answer))
  const fates = new Map(gone.map((each) => [each.id, each]))
  for (const row of rows) {
    const person = people.get(row.crmId!)
    const left = fates.get(row.crmId!)
    if (person !== undefined)
      jobs.set(row.id, {
        row,
        resolvedAt: Date.now(),
        kind: 'write',
        person: { entity, person },
        others: [],
        isNew: false,
      })
    else if (left?.fate.kind === 'unread') jobs.set(row.id, rejectedUnread(row, left.fate.crm))
    else if (left !== undefined) jobs.set(row.id, settled(row, { kind: 'skipped', code: null, gone: left }))
    else jobs.set(row.id, rejectedUnread(row, broken.get(row.crmId!) ?? {}))
  }
  return jobs
}

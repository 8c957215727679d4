import type { CrmEntity } from '../../domain/crm.ts'
import { isSameDeed, type Deed } from '../../domain/preview.ts'
import type { Database, Sql } from '../database.ts'
import { pageGiven, type Given } from '../run/given.ts'
import type { SyncPlan } from './plan.ts'
import { foreseenOf, linkedRows, type SyncRow } from './rows.ts'

export type Subjects = { recordIds: readonly string[]; crmIds: readonly string[] }

/** What a preview has shown of some records and people (S8). */
export type Shown = {
  /** whether exactly this was shown for the record or person */
  has(now: Deed & { recordId?: string }): boolean
  /** what was shown for a person */
  of(entity: CrmEntity, crmId: string): Given[]
  /** what was shown for a record, in the order in which it was settled */
  ofRecord(recordId: string): Given[]
}

/** Another record of the same person goes into this one, which is compared after that. */
export const takesOver = (shown: Shown, { id, entity, crmId }: Pick<SyncRow, 'id' | 'entity' | 'crmId'>): boolean =>
  entity !== null &&
  crmId !== null &&
  shown
    .of(entity, crmId)
    .some(({ warnings }) => warnings?.some(({ code, ids }) => code === 'mergedIntoRecord' && ids?.includes(id)))

/**
 * For a run that applies a preview: what that one has shown of these, by its push or by all else. Undefined for every other run, which does what it
 * finds right.
 */
export const shownOf = async (
  sql: Sql,
  { accountId, source }: Pick<SyncPlan, 'accountId' | 'source'>,
  push: boolean,
  { recordIds, crmIds }: Subjects,
): Promise<Shown | undefined> => {
  if (source?.as !== 'preview') return undefined
  const selected = sql`
    select id, phase, kind, code, record_id as "recordId", crm_entity as "crmEntity", crm_id as "crmId", changes, warnings from entries
    where last_run_id = ${source.runId}::uuid and (phase = 'push') = ${push}`
  const found = await sql<Given[]>`
    ${selected} and record_id = any(string_to_array(${recordIds.join('\n')}::text, E'\n')::uuid[])
    union all ${selected} and account_id = ${accountId}::uuid and crm_id = any(string_to_array(${crmIds.join('\n')}::text, E'\n'))
    order by id`
  const rows = found.filter(({ id }, at) => id !== found[at - 1]?.id)
  const of = (entity: CrmEntity, crmId: string): Given[] =>
    rows.filter((row) => row.crmEntity === entity && row.crmId === crmId)
  const ofRecord = (recordId: string): Given[] => rows.filter((row) => row.recordId === recordId)
  return {
    has: (now) => {
      const own = now.recordId === undefined ? [] : ofRecord(now.recordId)
      const theirs = now.entity == null || now.crmId === null ? [] : of(now.entity, now.crmId)
      return [...own, ...theirs].some((shown) => isSameDeed(shown, now))
    },
    of,
    ofRecord,
  }
}

/** Of these records, those that the push of a run has listed. */
export const settledBy = async (
  { $client: sql }: Database,
  runId: string,
  recordIds: readonly string[],
): Promise<ReadonlySet<string>> => {
  const rows = await sql<{ id: string }[]>`
    select distinct record_id::text as id from entries where last_run_id = ${runId}::uuid and phase = 'push'
      and record_id = any(string_to_array(${recordIds.join('\n')}::text, E'\n')::uuid[])`
  return new Set(rows.map(({ id }) => id))
}

const kinds = ['created', 'updated', 'relinked', 'deleted', 'skipped'] as const

/** Skips that change something nevertheless: a link, a record that goes into another one, what is known of a person. */
const isDeed = ({ phase, kind, code, crmId, changes }: Given): boolean => {
  if (kind !== 'skipped') return true
  if (phase !== 'push' && code === 'notUpdated') return Object.keys(changes ?? {}).length > 0
  return code === 'existsNotUpdated' || code === 'mergedIntoRecord' || (code === 'needsDecision' && crmId !== null)
}

type Page<Row> = { rows: Row[]; next: string | null }

const pageDeeds = async (
  db: Database,
  { accountId, listId, source }: SyncPlan,
  push: boolean,
  after: string | null,
  limit: number,
): Promise<Page<Given>> => {
  const given = await pageGiven(db, { accountId, listId, source: source! }, { push, kinds }, after, limit)
  return { rows: given.filter(isDeed), next: given.length < limit ? null : given.at(-1)!.id }
}

const recordsOf = (rows: Given[]): string[] => rows.flatMap(({ recordId }) => recordId ?? [])
const peopleOf = (rows: Given[]): string[] => rows.flatMap(({ crmId }) => crmId ?? [])
/** A record goes on with somebody else. */
export const isFollowing = ({ kind, code }: Pick<Given, 'kind' | 'code'>): boolean =>
  kind === 'relinked' && code !== 'seenAgain'

/** Whom a preview would read again: of a record that follows, the person who is gone; the one who took over comes along. */
const personOf = ({ kind, code, crmEntity, crmId, warnings }: Given): { entity: CrmEntity; id: string } | undefined => {
  if (crmEntity === null || crmId === null) return undefined
  if (kind !== 'relinked' || code === 'seenAgain') return { entity: crmEntity, id: crmId }
  const was = warnings?.find((warning) => warning.code === 'was')?.ids?.[0]
  return was === undefined ? undefined : { entity: code === 'converted' ? 'lead' : crmEntity, id: was }
}

/** Ids of people of one entity whom a preview has shown in its pull, from behind an entry. */
export const pageShownPeople = async (
  db: Database,
  plan: SyncPlan,
  entity: CrmEntity,
  after: string | null,
  limit: number,
): Promise<{ ids: string[]; next: string | null }> => {
  const { rows, next } = await pageDeeds(db, plan, false, after, limit)
  const shown = await shownOf(db.$client, plan, false, { recordIds: recordsOf(rows), crmIds: [] })
  const own = rows.filter(
    (row) => isFollowing(row) || row.recordId === null || !shown!.ofRecord(row.recordId).some(isFollowing),
  )
  const people = own.flatMap((row) => personOf(row) ?? [])
  return { ids: [...new Set(people.filter((each) => each.entity === entity).map(({ id }) => id))], next }
}

/** Records that a preview has shown in its push, each once, from behind an entry; `cursor` is its own. */
export const pageShownRecords = async (
  db: Database,
  plan: SyncPlan,
  after: string | null,
  limit: number,
): Promise<Page<SyncRow & { cursor: string }>> => {
  const { $client: sql } = db
  const { rows: deeds, next } = await pageDeeds(db, plan, true, after, limit)
  const ids = recordsOf(deeds)
  const shown = (await shownOf(sql, plan, true, { recordIds: ids, crmIds: peopleOf(deeds) }))!
  const known = new Map((await foreseenOf(sql, plan, ids)).map((row) => [row.id, row]))
  // people whom the pull of the preview would have added have a record by now
  const added = deeds.filter(({ recordId }) => recordId === null)
  for (const entity of ['lead', 'contact'] as const) {
    const linked = await linkedRows(sql, plan, entity, peopleOf(added.filter(({ crmEntity }) => crmEntity === entity)))
    for (const [crmId, row] of linked) known.set(`${entity}:${crmId}`, row)
  }
  const found = deeds.flatMap((deed) => {
    const same = deed.recordId === null ? shown.of(deed.crmEntity!, deed.crmId!) : shown.ofRecord(deed.recordId)
    const isFirst = same.find(isDeed)?.id === deed.id
    const row = known.get(deed.recordId ?? `${deed.crmEntity}:${deed.crmId}`)
    return isFirst && row !== undefined ? [{ ...row, cursor: deed.id }] : []
  })
  return { rows: found, next }
}

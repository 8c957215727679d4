import { and, desc, eq, isNull, lt, ne, notInArray, or, sql, type SQL } from 'drizzle-orm'
import type { CrmEntity, CrmValue } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { AgreedValues } from '../../domain/sync.ts'
import { entryChanges, rewind, type TimelineChange } from '../../domain/timeline.ts'
import { readValues } from '../../domain/values.ts'
import type { Database } from '../database.ts'
import { apiKeys, decisions, edits, entries, forms, records, runs, submissions } from '../schema.ts'
import { idAt } from './eventId.ts'
import { mailEvents, type MailEvent } from './timelineMail.ts'

type Link = { entity: CrmEntity; id: string }

/** A record, removed or not, and everybody in the CRM whom it was linked to; values by column key. */
export type Subject = {
  accountId: string
  listId: string
  id: string
  createdRunId: string | null
  createdAt: Date
  /** of the address that it has now */
  emailKey: Buffer | null
  fields: Record<string, CrmValue>
  agreed: AgreedValues
  /** the oldest one that is known first */
  links: Link[]
}

/** Entries of a run that sends have no list: its deliveries say the same. */
const ofRecord = ({ accountId, listId, id }: Pick<Subject, 'accountId' | 'listId' | 'id'>) =>
  and(eq(entries.accountId, accountId), eq(entries.listId, listId), eq(entries.recordId, id))

/** Errors: notFound. */
export const open = async (db: Database, accountId: string, listId: string, recordId: string): Promise<Subject> => {
  const [found] = await db
    .select({
      createdRunId: records.createdRunId,
      createdAt: sql<Date>`uuid_extract_timestamp(${records.id})`.mapWith(records.updatedAt),
      entity: records.crmEntity,
      crmId: records.crmId,
      emailKey: records.emailKey,
      fields: sql<string>`${records.fields}::text`,
      agreed: sql<string>`${records.agreed}::text`,
    })
    .from(records)
    .where(and(eq(records.accountId, accountId), eq(records.listId, listId), eq(records.id, recordId)))
  if (found === undefined) throw new FairleadError('notFound')
  const { createdRunId, createdAt, entity, crmId, emailKey, fields, agreed } = found
  const subject = { accountId, listId, id: recordId, createdRunId, createdAt }
  const moved = await db
    .select({ code: entries.code, entity: entries.crmEntity, warnings: entries.warnings })
    .from(entries)
    .where(and(ofRecord(subject), eq(entries.kind, 'relinked')))
    .orderBy(entries.id)
  const earlier = moved.flatMap(({ code, entity: became, warnings }): Link[] => {
    const was = code === 'converted' ? 'lead' : became
    const ids = (warnings ?? []).flatMap((each) => (each.code === 'was' ? (each.ids ?? []) : []))
    return was === null ? [] : ids.map((id) => ({ entity: was, id }))
  })
  const links = [...earlier, ...(entity !== null && crmId !== null ? [{ entity, id: crmId }] : [])]
  return {
    ...subject,
    emailKey,
    fields: readValues(fields),
    agreed: readValues(agreed) as unknown as AgreedValues,
    links,
  }
}

const entrySelection = {
  id: entries.id,
  kind: entries.kind,
  code: entries.code,
  phase: entries.phase,
  recordId: entries.recordId,
  crmEntity: entries.crmEntity,
  crmId: entries.crmId,
  changes: entries.changes,
  warnings: entries.warnings,
  said: entries.crm,
  times: entries.times,
  lastRunId: entries.lastRunId,
  lastAt: entries.at,
  runId: runs.id,
  runKind: runs.kind,
  runTrigger: runs.trigger,
  match: sql<'none' | 'email' | 'externalId' | 'id' | null>`${runs.settings} #>> '{upload,options,match}'`,
}
/** Of a form that the person filled in. */
const filledIn = {
  submissionId: submissions.id,
  formId: forms.id,
  formName: forms.name,
  state: submissions.state,
  results: submissions.results,
}
const editSelection = {
  id: edits.id,
  kind: edits.kind,
  changes: edits.changes,
  otherId: edits.otherId,
  apiKeyId: edits.apiKeyId,
  apiKeyName: apiKeys.name,
  runId: edits.runId,
  runKind: runs.kind,
  runTrigger: runs.trigger,
  ...filledIn,
}
const decisionSelection = {
  id: decisions.id,
  kind: decisions.kind,
  candidates: decisions.candidates,
  crmEntity: decisions.crmEntity,
  crmId: decisions.crmId,
  createdAt: decisions.createdAt,
  decidedAt: decisions.decidedAt,
  apiKeyId: decisions.decidedBy,
  apiKeyName: apiKeys.name,
  chosenEntity: decisions.chosenEntity,
  chosenId: decisions.chosenId,
  runId: decisions.runId,
  runKind: runs.kind,
  runTrigger: runs.trigger,
}

const submissionSelection = {
  id: submissions.id,
  ...filledIn,
  code: submissions.code,
  said: submissions.crm,
  warnings: submissions.warnings,
  apiKeyId: submissions.apiKeyId,
  apiKeyName: apiKeys.name,
}

export type Part = { before?: string; key?: string; limit?: number }

/** What a preview lists did not happen. */
const noPreview = ne(runs.kind, 'preview')
export const withoutLimit = 1_000_000

const pageEntries = (db: Database, subject: Subject, where: SQL | undefined, { before, key, limit }: Part) =>
  db
    .select(entrySelection)
    .from(entries)
    .innerJoin(runs, eq(runs.id, entries.firstRunId))
    .where(
      and(
        where,
        noPreview,
        before === undefined ? undefined : lt(entries.id, before),
        key === undefined
          ? undefined
          : sql`jsonb_exists(${entries.changes}, ${key}) and (${entries.kind} not in ('skipped', 'rejected') or ${entries.phase} = 'verify')
              and coalesce(not ${entries.warnings} @> '[{"code": "mergedIntoRecord"}]', true)`,
      ),
    )
    .orderBy(desc(entries.id))
    .limit(limit ?? withoutLimit)

const pageEdits = (db: Database, { accountId, id }: Subject, { before, key, limit }: Part) =>
  db
    .select(editSelection)
    .from(edits)
    .leftJoin(runs, eq(runs.id, edits.runId))
    .leftJoin(apiKeys, eq(apiKeys.id, edits.apiKeyId))
    .leftJoin(submissions, eq(submissions.id, edits.submissionId))
    .leftJoin(forms, eq(forms.id, submissions.formId))
    .where(
      and(
        eq(edits.accountId, accountId),
        eq(edits.recordId, id),
        ne(edits.kind, 'created'),
        sql`${runs.kind} is distinct from 'preview'`,
        before === undefined ? undefined : lt(edits.id, before),
        key === undefined ? undefined : sql`jsonb_exists(${edits.changes}, ${key})`,
      ),
    )
    .orderBy(desc(edits.id))
    .limit(limit ?? withoutLimit)

const allDecisions = (db: Database, { accountId, id }: Subject) =>
  db
    .select(decisionSelection)
    .from(decisions)
    .leftJoin(runs, eq(runs.id, decisions.runId))
    .leftJoin(apiKeys, eq(apiKeys.id, decisions.decidedBy))
    .where(and(eq(decisions.accountId, accountId), eq(decisions.recordId, id)))

const pageSubmissions = (db: Database, { accountId, id }: Subject, { before, limit }: Part) =>
  db
    .select(submissionSelection)
    .from(submissions)
    .innerJoin(forms, eq(forms.id, submissions.formId))
    .leftJoin(apiKeys, eq(apiKeys.id, submissions.apiKeyId))
    .where(
      and(
        eq(submissions.accountId, accountId),
        eq(submissions.recordId, id),
        before === undefined ? undefined : lt(submissions.id, before),
      ),
    )
    .orderBy(desc(submissions.id))
    .limit(limit ?? withoutLimit)

/** Who made the record. */
const creationOf = async (db: Database, { accountId, id, createdRunId }: Subject) => {
  const [edit] = await db
    .select({ apiKeyId: edits.apiKeyId, apiKeyName: apiKeys.name, ...filledIn })
    .from(edits)
    .leftJoin(apiKeys, eq(apiKeys.id, edits.apiKeyId))
    .leftJoin(submissions, eq(submissions.id, edits.submissionId))
    .leftJoin(forms, eq(forms.id, submissions.formId))
    .where(and(eq(edits.accountId, accountId), eq(edits.recordId, id), eq(edits.kind, 'created')))
  const [run] =
    createdRunId === null
      ? []
      : await db
          .select({ runId: runs.id, runKind: runs.kind, runTrigger: runs.trigger })
          .from(runs)
          .where(eq(runs.id, createdRunId))
  return { ...edit, ...run }
}

/** `decided`: the record was linked to whom somebody had chosen for it. */
type EntryEvent = { of: 'entry'; id: string; decided: boolean } & Awaited<ReturnType<typeof pageEntries>>[number]
type EditEvent = { of: 'edit'; id: string } & Awaited<ReturnType<typeof pageEdits>>[number]
type DecisionEvent = { of: 'asked' | 'decided'; id: string } & Awaited<ReturnType<typeof allDecisions>>[number]
type CreationEvent = { of: 'creation'; id: string } & Awaited<ReturnType<typeof creationOf>>
type SubmissionEvent = { of: 'submission'; id: string } & Awaited<ReturnType<typeof pageSubmissions>>[number]
export type TimelineEvent = EntryEvent | EditEvent | DecisionEvent | SubmissionEvent | MailEvent | CreationEvent

const linkingCodes: ReadonlySet<string | null> = new Set(['linkedByEmail', 'existsNotUpdated', 'converted', 'merged'])

/** Whether an entry links the record to the answer of an earlier question. */
const isDecided =
  (questions: Awaited<ReturnType<typeof allDecisions>>) =>
  ({ id, code, crmEntity, crmId }: Awaited<ReturnType<typeof pageEntries>>[number]): boolean =>
    linkingCodes.has(code) &&
    questions.some(
      ({ id: asked, chosenEntity, chosenId }) =>
        chosenId !== null && chosenId === crmId && chosenEntity === crmEntity && asked < id,
    )

const people = (links: Link[]): SQL | undefined =>
  or(...links.map(({ entity, id }) => and(eq(entries.crmEntity, entity), eq(entries.crmId, id))))

/**
 * What happened to a record, newest first, from before the event `before`: ids are in the order of time, so what comes meanwhile moves nothing. An entry
 * that was renewed stands where it was made. `key` narrows to what touched one column.
 */
export const page = async (
  db: Database,
  subject: Subject,
  { before, key, limit }: { before?: string; key?: string; limit: number },
): Promise<TimelineEvent[]> => {
  const { accountId, listId, links } = subject
  const part = { before, key, limit }
  const ofPeople = and(
    eq(entries.accountId, accountId),
    eq(entries.listId, listId),
    isNull(entries.recordId),
    people(links),
  )
  const asked = await allDecisions(db, subject)
  const decided = isDecided(asked)
  const questions = key === undefined ? asked : []
  const own = await pageEntries(db, subject, ofRecord(subject), part)
  const theirs = links.length === 0 ? [] : await pageEntries(db, subject, ofPeople, part)
  // what a submission changed of a field stands in the edit that it made
  const sent = key === undefined ? await pageSubmissions(db, subject, part) : []
  const mails = key === undefined ? await mailEvents(db, subject, part) : []
  const events: TimelineEvent[] = [
    ...[...own, ...theirs].map((row) => ({ of: 'entry' as const, decided: decided(row), ...row })),
    ...(await pageEdits(db, subject, part)).map((row) => ({ of: 'edit' as const, ...row })),
    ...questions.map((row) => ({ of: 'asked' as const, ...row })),
    ...questions.flatMap((row) =>
      row.decidedAt === null ? [] : [{ of: 'decided' as const, ...row, id: idAt(row.id, row.decidedAt) }],
    ),
    ...sent.map((row) => ({ of: 'submission' as const, ...row })),
    ...mails,
    { of: 'creation', ...(await creationOf(db, subject)), id: subject.id },
  ]
  return events
    .filter(({ id }) => before === undefined || id < before)
    .sort((a, b) => (a.id < b.id ? 1 : -1))
    .slice(0, limit)
}

type Step = { id: string; changes: Record<string, TimelineChange> }

/** Everything that changed values of the record here, newest first. */
export const stepsOf = async (db: Database, subject: Subject, key?: string): Promise<Step[]> => {
  const written = and(ofRecord(subject), notInArray(entries.kind, ['skipped', 'rejected']), ne(entries.phase, 'verify'))
  const steps: Step[] = [
    ...(await pageEntries(db, subject, written, { key })).map((row) => ({ id: row.id, changes: entryChanges(row) })),
    ...(await pageEdits(db, subject, { key })).map(({ id, changes }) => ({ id, changes: editChanges(changes) })),
  ]
  return steps.sort((a, b) => (a.id < b.id ? 1 : -1))
}

export const editChanges = (changes: (typeof edits.$inferSelect)['changes']): Record<string, TimelineChange> =>
  Object.fromEntries(Object.entries(changes).map(([key, change]) => [key, { ...change, side: change.side ?? 'here' }]))

/**
 * The values that the record was made with, reckoned back from those of now. `complete` is false when something on the way is not known any more: the
 * record is older than its history is kept.
 */
export const valuesAtFirst = async (
  db: Database,
  subject: Subject,
  keptDays: number,
): Promise<{ values: Record<string, unknown>; complete: boolean }> => {
  const steps = await stepsOf(db, subject)
  const { values, fits } = rewind(
    subject.fields,
    steps.map(({ changes }) => changes),
  )
  return { values, complete: fits && Date.now() - subject.createdAt.getTime() < keptDays * 86_400_000 }
}

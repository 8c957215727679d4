import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { emailKeyOf, hashKeyOf } from '../../db/emailKey.ts'
import * as lists from '../../db/list.ts'
import * as entries from '../../db/run/entry.ts'
import * as runs from '../../db/run/read.ts'
import { causeOf, warningSentence } from '../../domain/cause.ts'
import { FairleadError } from '../../domain/errors.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { createGate } from '../record/gate.ts'
import { CrmSaid, Cursor, Entity, exampleOf, Id, Instant, instant, pageOf, PageQuery, text } from '../schemas.ts'
import type { Services } from '../services.ts'

const EntryKind = z.enum(['created', 'updated', 'skipped', 'rejected', 'deleted', 'relinked', 'changedDuring'])

const example = {
  id: '019ab3c4-7100-7000-8000-778899aabbcc',
  kind: 'rejected',
  phase: 'pull',
  code: 'crmFailed',
  message: causeOf('crmFailed').message,
  remedy: causeOf('crmFailed').remedy,
  recordId: null,
  crm: { entity: 'lead', id: 'QF8AAA000077' },
  said: { status: 500, message: 'Object reference not set to an instance of an object.' },
  changes: null,
  warnings: [],
  times: 2,
  firstRunId: '019ab3c4-61f2-7a35-8d40-0b5a7c9e1f23',
  lastRunId: '019ab3c5-10aa-7bcd-9e0f-1a2b3c4d5e6f',
  at: '2026-11-23T10:00:09.000Z',
}

export const Entry = z
  .object({
    id: Id,
    kind: EntryKind,
    phase: z.string(),
    code: z.string().nullable().meta({ description: 'the reason' }),
    message: z.string().nullable(),
    remedy: z.string().nullable(),
    recordId: Id.nullable(),
    crm: z.object({ entity: Entity, id: z.string() }).nullable(),
    said: CrmSaid.nullable().meta({ description: 'what the CRM itself said' }),
    changes: z
      .record(
        z.string(),
        z.object({
          before: z.unknown().optional(),
          after: z.unknown().optional(),
          conflict: z
            .enum(['crmWins', 'oursWins'])
            .optional()
            .meta({ description: 'both sides had changed it: who won; `before` is the loser’s value' }),
        }),
      )
      .nullable()
      .meta({ description: 'field → before and after, on the side that was written' }),
    warnings: z
      .array(
        z.object({
          code: z.string(),
          message: z.string(),
          field: z.string().optional(),
          ids: z
            .array(z.string())
            .optional()
            .meta({ description: 'people in the CRM; for `mergedIntoRecord` a record' }),
        }),
      )
      .meta({ description: 'what was done otherwise than asked' }),
    times: z.number().int().meta({ description: 'in how many runs in a row' }),
    firstRunId: Id,
    lastRunId: Id,
    at: Instant,
  })
  .meta({ id: 'Entry', description: 'What a run did to one record', examples: [example] })
type Entry = z.infer<typeof Entry>

const entryJson = (row: entries.Entry): Entry => {
  const { id, kind, phase, code, recordId, crmEntity, crmId, changes, times, firstRunId, lastRunId, at } = row
  const cause = code === null ? { message: null, remedy: null } : causeOf(code)
  const crm = crmEntity && crmId ? { entity: crmEntity, id: crmId } : null
  const runs = { times, firstRunId, lastRunId, at: instant(at) }
  const warnings = (row.warnings ?? []).map((each) => ({ ...each, message: warningSentence(each) }))
  return { id, kind, phase, code, ...cause, recordId, crm, said: row.crm, changes, warnings, ...runs }
}

export const Cause = z
  .object({
    code: z.string(),
    kind: EntryKind,
    phase: z.string(),
    count: z.number().int(),
    message: z.string(),
    remedy: z.string(),
  })
  .meta({
    id: 'Cause',
    examples: [{ code: 'crmFailed', kind: 'rejected', phase: 'pull', count: 3, ...causeOf('crmFailed') }],
  })

export const Causes = z
  .object({ items: z.array(Cause), nextCursor: z.null() })
  .meta({ examples: [{ items: [exampleOf(Cause)], nextCursor: null }] })

export const causesJson = (rows: entries.CauseCount[]): z.infer<typeof Causes> => ({
  items: rows.map((row) => ({ ...row, ...causeOf(row.code) })),
  nextCursor: null,
})

const EntryQuery = PageQuery.extend({ kind: EntryKind.optional(), code: text(64).optional() })

const EntrySearch = z
  .strictObject({
    email: text(320)
      .trim()
      .min(1)
      .optional()
      .meta({ description: 'whose record on the list has this address now, or had it then' }),
    recordId: Id.optional(),
    crm: z.strictObject({ entity: Entity, id: text(64).min(1) }).optional(),
    code: text(64).optional(),
    kind: EntryKind.optional(),
    phase: z.enum(['pull', 'sweep', 'push', 'verify']).optional(),
    limit: z.number().int().min(1).max(200).default(50),
    cursor: Cursor.optional(),
  })
  .refine(
    ({ email, recordId, crm }) => [email, recordId, crm].filter((each) => each !== undefined).length <= 1,
    'names a person by one of email, recordId and crm',
  )
  .meta({ id: 'EntrySearch', examples: [{ email: 'pat.miller@example.com', limit: 50 }] })
type EntrySearch = z.infer<typeof EntrySearch>

const EntryKey = z.object({ at: z.iso.datetime(), id: Id })
const RunParams = z.strictObject({ runId: Id })
const tags = ['Runs']
const created = 'Created records are listed with `kind: created`, and among the entries of one person.'

export const entryRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  const gate = createGate(4, 40)

  const personOf = async (
    accountId: string,
    listId: string | null,
    { email, recordId, crm }: Partial<EntrySearch>,
  ): Promise<entries.Person | undefined> => {
    if (recordId !== undefined) return entries.findPerson(db, accountId, listId, { recordId })
    if (crm !== undefined) return entries.findPerson(db, accountId, listId, { crm })
    if (email === undefined) return undefined
    const emailKey = emailKeyOf(await hashKeyOf(db, secrets, accountId), email)
    if (emailKey === null) throw new FairleadError('invalidInput', { detail: 'email: expects an address.' })
    return entries.findPerson(db, accountId, listId, { emailKey })
  }

  const searchRun = async (accountId: string, runId: string, { limit, cursor, ...asked }: EntrySearch) => {
    const run = await runs.get(db, accountId, runId)
    const scope = [accountId, 'entries', runId, asked]
    const after = readCursor(secrets, scope, cursor, Id)
    const { kind, code, phase } = asked
    const person = await personOf(accountId, run.listId, asked)
    const rows = await entries.page(db, accountId, run, { kind, code, phase, person, limit: limit + 1, after })
    return cutPage(rows, limit, entryJson, (last) => writeCursor(secrets, scope, last.id))
  }

  app.get(
    '/runs/:runId/entries',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'What a run did to single records',
        description:
          'Oldest first. Created records are listed only with `kind=created`. A skip or rejection equal to the last run’s is one entry, with `times`. Searches for a person go to POST …/entries/search: people stay out of URLs.',
        params: RunParams,
        querystring: EntryQuery,
        response: { 200: pageOf(Entry) },
      },
    },
    ({ caller, params, query }) => searchRun(caller.accountId, params.runId, query),
  )

  app.post(
    '/runs/:runId/entries/search',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Find entries of a run',
        description: `Oldest first. ${created}`,
        params: RunParams,
        body: EntrySearch,
        response: { 200: pageOf(Entry) },
      },
    },
    ({ caller, params, body }) => searchRun(caller.accountId, params.runId, body),
  )

  app.post(
    '/lists/:listId/entries/search',
    {
      config: { role: 'viewer', problems: ['invalidCursor', 'queryTimeout'] },
      schema: {
        tags,
        summary: 'Find entries of all runs of a list',
        description: `Newest first. ${created} A search that takes longer than 10 seconds ends with \`queryTimeout\`.`,
        params: z.strictObject({ listId: Id }),
        body: EntrySearch,
        response: { 200: pageOf(Entry) },
      },
    },
    async ({ caller: { accountId }, params: { listId }, body: { limit, cursor, ...asked } }) => {
      await lists.getEver(db, accountId, listId)
      const scope = [accountId, 'listEntries', listId, asked]
      const before = readCursor(secrets, scope, cursor, EntryKey)
      const { kind, code, phase } = asked
      const person = await personOf(accountId, listId, asked)
      const wanted = { kind, code, phase, person, limit: limit + 1, before }
      const rows = await gate(() => entries.pageOfList(db, accountId, listId, wanted))
      return cutPage(rows, limit, entryJson, ({ at, id }) => writeCursor(secrets, scope, { at: instant(at), id }))
    },
  )

  app.get(
    '/runs/:runId/causes',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'A run’s skips and rejections by reason',
        description: 'All of them at once, the most frequent first.',
        params: RunParams,
        response: { 200: Causes },
      },
    },
    async ({ caller: { accountId }, params: { runId } }) => {
      const run = await runs.get(db, accountId, runId)
      return causesJson(await entries.causes(db, accountId, run))
    },
  )
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { emailKeyOf, hashKeyOf } from '../../db/emailKey.ts'
import * as lists from '../../db/list.ts'
import * as entries from '../../db/run/entry.ts'
import * as persons from '../../db/run/person.ts'
import * as runs from '../../db/run/read.ts'
import { FairleadError } from '../../domain/errors.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { createGate } from '../record/gate.ts'
import { Cursor, Entity, Id, instant, pageOf, PageQuery, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Causes, causesJson, Entry, EntryKind, entryJson } from './entryJson.ts'

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
    phase: z.enum(['pull', 'sweep', 'push', 'verify', 'upload', 'send', 'notes']).optional(),
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
  ): Promise<persons.Person | undefined> => {
    if (recordId !== undefined) return persons.find(db, accountId, listId, { recordId })
    if (crm !== undefined) return persons.find(db, accountId, listId, { crm })
    if (email === undefined) return undefined
    const emailKey = emailKeyOf(await hashKeyOf(db, secrets, accountId), email)
    if (emailKey === null) throw new FairleadError('invalidInput', { detail: 'email: expects an address.' })
    return persons.find(db, accountId, listId, { emailKey })
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
      const rows = await gate(accountId, () => entries.pageOfList(db, accountId, listId, wanted))
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

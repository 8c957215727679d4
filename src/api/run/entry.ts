import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as entries from '../../db/run/entry.ts'
import * as runs from '../../db/run/read.ts'
import { causeOf } from '../../domain/cause.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { CrmSaid, Entity, exampleOf, Id, Instant, instant, pageOf, PageQuery, text } from '../schemas.ts'
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
      .record(z.string(), z.object({ before: z.unknown().optional(), after: z.unknown().optional() }))
      .nullable()
      .meta({ description: 'field → before and after' }),
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
  return { id, kind, phase, code, ...cause, recordId, crm, said: row.crm, changes, ...runs }
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
const RunParams = z.strictObject({ runId: Id })
const tags = ['Runs']

export const entryRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/runs/:runId/entries',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'What a run did to single records',
        description:
          'Oldest first. Created records are listed only with `kind=created`. A skip or rejection equal to the last run’s is one entry, with `times`.',
        params: RunParams,
        querystring: EntryQuery,
        response: { 200: pageOf(Entry) },
      },
    },
    async ({ caller: { accountId }, params: { runId }, query: { limit, cursor, kind, code } }) => {
      const run = await runs.get(db, accountId, runId)
      const scope = [accountId, 'entries', runId, kind, code]
      const after = readCursor(secrets, scope, cursor, Id)
      const rows = await entries.page(db, accountId, run, { kind, code, limit: limit + 1, after })
      return cutPage(rows, limit, entryJson, (last) => writeCursor(secrets, scope, last.id))
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

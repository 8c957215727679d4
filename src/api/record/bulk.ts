import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as bulks from '../../db/record/bulk.ts'
import { causeOf } from '../../domain/cause.ts'
import type { ErrorCode } from '../../domain/errors.ts'
import type { RecordInput, RecordRead } from '../../domain/record.ts'
import { firstIssue } from '../issue.ts'
import { exampleOf, Id } from '../schemas.ts'
import type { Services } from '../services.ts'
import { createGate } from './gate.ts'
import { isEmpty, keepDigits, ListParams, NewRecord, openList, readExternalId } from './input.ts'

const mostRows = 1000

const Bulk = z
  .strictObject({
    match: z.enum(['email', 'externalId']).meta({
      description:
        'how a row finds its record: by e-mail address, in any case, where a row without one is always new; or by external id, which each row then needs',
    }),
    onMatch: z.enum(['update', 'skip']).default('update'),
    records: z
      // Rows are read one by one, so that a bad one harms no other.
      .array(z.unknown().meta({ $ref: '#/components/schemas/NewRecord' }))
      .min(1)
      .max(mostRows),
  })
  .meta({ id: 'Bulk', examples: [{ match: 'externalId', onMatch: 'update', records: [exampleOf(NewRecord)] }] })

const BulkRow = z
  .object({
    result: z.enum(['created', 'updated', 'unchanged', 'skipped', 'rejected']),
    id: Id.nullable().meta({
      description: 'the record; of a rejected row the one that is in the way, if there is one',
    }),
    others: z.number().int().meta({ description: 'how many more records of the list have the address' }),
    code: z.string().nullable(),
    message: z.string().nullable(),
    path: z.string().nullable().meta({ description: 'where in the request' }),
  })
  .meta({ id: 'BulkRow' })
type BulkRow = z.infer<typeof BulkRow>

const counts = ['created', 'updated', 'unchanged', 'skipped', 'rejected'] as const
const count = z.number().int()

const BulkResult = z
  .object({
    counts: z.object({ created: count, updated: count, unchanged: count, skipped: count, rejected: count }),
    results: z.array(BulkRow).meta({ description: 'one for each row, in the order of the rows' }),
  })
  .meta({
    id: 'BulkResult',
    examples: [
      {
        counts: { created: 1, updated: 0, unchanged: 0, skipped: 0, rejected: 1 },
        results: [
          {
            result: 'created',
            id: '019ab3c4-7000-7000-8000-66778899aabb',
            others: 0,
            code: null,
            message: null,
            path: null,
          },
          {
            result: 'rejected',
            id: null,
            others: 0,
            code: 'invalidInput',
            message: 'A number column expects a number.',
            path: 'records[1].fields.Score',
          },
        ],
      },
    ],
  })

type Refused = { code: ErrorCode; path: string; message: string }
type Match = z.infer<typeof Bulk>['match']

const whole = { result: 'rejected', id: null, others: 0 } as const

/** `records[3]` and what follows. */
const placeOf = (index: number, path: string): string => `records[${index}]${path === '' ? '' : `.${path}`}`

const readRow = (
  read: (input: RecordInput) => RecordRead,
  match: Match,
  row: unknown,
): { row: bulks.BulkRow } | { refused: Refused } => {
  const refuse = (path: string, message: string, code: ErrorCode = 'invalidInput') => ({
    refused: { code, path, message },
  })
  const parsed = NewRecord.safeParse(row)
  if (!parsed.success) {
    const { path, message } = firstIssue(parsed.error)
    return refuse(path, message)
  }
  const { externalId: given, ...input } = parsed.data
  const found = read(input)
  const [trouble] = found.troubles
  if (trouble !== undefined) return refuse(trouble.path, trouble.message, trouble.code)
  const externalId = readExternalId(given)
  if (match === 'externalId' && typeof externalId !== 'string') {
    return refuse('externalId', 'Rows that are matched by external id need one.')
  }
  if (isEmpty(found, externalId)) return refuse('', 'The record is empty.')
  return { row: { values: found.values, externalId } }
}

export const bulkRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  // They take turns within a list; those that wait must not hold all database connections.
  const gate = createGate(2, 40)
  keepDigits(app)

  app.post(
    '/lists/:listId/records/bulk',
    {
      config: { role: 'marketer' },
      schema: {
        tags: ['Records'],
        summary: 'Make and change up to 1,000 records',
        description:
          'Each row has a result of its own; a bad one harms no other. Rows are applied in their order, also several for one person. Where several records have the address, the one that is in the CRM is changed, else the oldest.',
        params: ListParams,
        body: Bulk,
        response: { 200: BulkResult },
      },
    },
    async ({ caller, params: { listId }, body: { match, onMatch, records } }) => {
      const { scope, read } = await openList(services, caller, listId)
      const rows = records.map((row) => readRow(read, match, row))
      const good = rows.flatMap((each) => ('row' in each ? [each.row] : []))
      const done =
        good.length === 0
          ? []
          : await gate(caller.accountId, () => bulks.upsert(services.db, scope, good, { match, onMatch }))
      const results = rows.map((each, index): BulkRow => {
        if ('refused' in each) {
          const { code, path, message } = each.refused
          return { ...whole, code, message, path: placeOf(index, path) }
        }
        const { code, ...result } = done.shift()!
        if (code === undefined) return { ...result, code: null, message: null, path: null }
        return {
          ...result,
          code,
          message: causeOf(code).message,
          path: placeOf(index, code === 'erased' ? 'email' : 'externalId'),
        }
      })
      const tally = counts.map((name) => [name, results.filter(({ result }) => result === name).length] as const)
      return { counts: Object.fromEntries(tally) as z.infer<typeof BulkResult>['counts'], results }
    },
  )
}

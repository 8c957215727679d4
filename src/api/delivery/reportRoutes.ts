import type { FastifyInstance } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Readable } from 'node:stream'
import { z } from 'zod'
import * as reports from '../../db/delivery/report.ts'
import { hashKeyOf } from '../../db/emailKey.ts'
import { causeOf } from '../../domain/cause.ts'
import { FairleadError } from '../../domain/errors.ts'
import { actorOf } from '../auth.ts'
import { Id } from '../schemas.ts'
import type { CompileMessage, Services } from '../services.ts'
import { createAccountLimit } from '../upload/limit.ts'
import { drain } from '../upload/receive.ts'
import { linesOf, type Line } from './lines.ts'
import { readLine, type LineError } from './report.ts'

const mediaTypes = ['application/x-ndjson', 'application/jsonl', 'application/json-seq']
/** Of one transaction. */
const batchLimits = { lines: 500, characters: 4_000_000 }
const mostErrors = 1000

const count = z.number().int()
const Result = z
  .object({
    received: count,
    stored: count,
    known: count.meta({ description: 'had been reported before' }),
    rejected: count,
    errors: z
      .array(
        z.object({ line: count, id: z.string().nullable(), code: z.string(), message: z.string(), path: z.string() }),
      )
      .meta({ description: `the first ${mostErrors}` }),
  })
  .meta({ id: 'DeliveryReportResult', examples: [{ received: 2, stored: 2, known: 0, rejected: 0, errors: [] }] })
type Result = z.infer<typeof Result>

const Lines = z.unknown().meta({
  type: 'string',
  description: 'One `DeliveryReport` a line',
  contentMediaType: 'application/json',
  contentSchema: { $ref: '#/components/schemas/DeliveryReportInput' },
  examples: [
    '{"id":"mail-1","email":"pat.miller@example.com","sentAt":"2026-11-23T10:00:00.000Z","subject":"News","html":"<p>Dear Pat</p>"}\n',
  ],
})

async function* batchesOf(lines: AsyncIterable<Line>): AsyncGenerator<Line[]> {
  let batch: Line[] = []
  let characters = 0
  for await (const line of lines) {
    batch.push(line)
    characters += line.text.length
    if (batch.length < batchLimits.lines && characters < batchLimits.characters) continue
    yield batch
    batch = []
    characters = 0
  }
  if (batch.length > 0) yield batch
}

const takeLines = (app: Pick<FastifyInstance, 'removeContentTypeParser' | 'addContentTypeParser'>): void => {
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser(mediaTypes, (_request, body, done) => done(null, body))
  app.addContentTypeParser('*', (_request, _body, done) =>
    done(
      new FairleadError('unsupportedMediaType', {
        remedy: 'Send one JSON object a line with Content-Type: application/x-ndjson.',
      }),
    ),
  )
}

export const deliveryReportRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets, publicUrl, compileMessage } = services
  const limit = createAccountLimit(5)
  takeLines(app as unknown as FastifyInstance)

  app.post(
    '/messages/:messageId/deliveries',
    {
      config: { role: 'marketer', problems: ['notOtherSender', 'messageSent'] },
      schema: {
        tags: ['Messages'],
        summary: 'Report deliveries of another sender',
        description:
          'Any number of lines, one mail each (`DeliveryReport`), stored as they come: after a request that broke off send everything again, what is known by its `id` changes nothing. Mails get their previews, and notes in the CRM, like our own. A wrong line harms no other. Close the message when all is said.',
        consumes: mediaTypes,
        params: z.strictObject({ messageId: Id }),
        body: Lines,
        response: { 200: Result },
      },
    },
    async ({ caller, id: requestId, params: { messageId }, body: given }) => {
      const { accountId } = caller
      const body = (given ?? undefined) as Readable | undefined
      const actor = actorOf({ caller, id: requestId })
      const take = async (): Promise<Result> => {
        const taking = await reports.open(db, accountId, messageId, actor)
        const hashKey = await hashKeyOf(db, secrets, accountId)
        let made: ReturnType<CompileMessage> | undefined
        const compiled = () => (made ??= compileMessage(taking.definition))
        const result: Result = { received: 0, stored: 0, known: 0, rejected: 0, errors: [] }
        const refuse = (error: LineError): void => {
          result.rejected += 1
          if (result.errors.length < mostErrors) result.errors.push(error)
        }
        if (body === undefined) return result
        for await (const batch of batchesOf(linesOf(body, app.stopping))) {
          const read = batch.map((line) => ({
            line: line.number,
            report: readLine(line, { hashKey, publicUrl, compiled }),
          }))
          result.received += batch.length
          const good: { line: number; report: reports.Reported }[] = []
          for (const { line, report } of read)
            if ('code' in report) refuse(report)
            else good.push({ line, report })
          const ids = good.map(({ report }) => report.externalId)
          const before = await reports.known(db, messageId, ids)
          const fresh = good.filter(({ report }) => !before.has(report.externalId))
          const { stored, erased } = await reports.insert(
            db,
            taking,
            fresh.map(({ report }) => report),
            actor,
          )
          const after = await reports.known(db, messageId, ids)
          result.stored += stored.size
          for (const { line, report } of good) {
            const id = report.externalId
            if (stored.delete(id)) continue
            if (after.has(id)) {
              result.known += 1
              continue
            }
            const [code, path] = erased.has(id)
              ? (['erased', 'email'] as const)
              : (['recordUnknown', 'recordId'] as const)
            refuse({ line, id, code, message: causeOf(code).message, path })
          }
        }
        return result
      }
      const answer = await limit(accountId, take, () => drain(body)).catch((error: unknown) => {
        drain(body)
        throw error
      })
      await services.relay()
      return answer
    },
  )
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { delimiters, mark, writeRecord } from '../../csv/write.ts'
import * as columns from '../../db/column.ts'
import * as lists from '../../db/list.ts'
import { eachPiece } from '../../db/record/each.ts'
import { matching } from '../../db/record/read.ts'
import * as runs from '../../db/run/read.ts'
import * as segments from '../../db/segment.ts'
import * as uploads from '../../db/upload.ts'
import { writeCell } from '../../domain/cell.ts'
import { FairleadError } from '../../domain/errors.ts'
import { reportNames } from '../../domain/upload.ts'
import { headersOf } from '../../domain/upload/header.ts'
import { attachment } from '../disposition.ts'
import { ListParams } from '../record/input.ts'
import { clockOf } from '../record/search.ts'
import { Id } from '../schemas.ts'
import type { Services } from '../services.ts'
import { FileQuery } from './options.ts'

const ListFileQuery = FileQuery.extend({
  segmentId: Id.optional().meta({ description: 'only who is in this segment of the list' }),
})

const example =
  'E-mail,First name,Last name,id,externalId,crmEntity,crmId,crmState\r\npat.miller@example.com,Pat,Miller,019ab3c4-7000-7000-8000-66778899aabb,shop-1042,lead,QF8AAA000001,linked\r\n'
const reportExample =
  '_line,_code,_column,_message,E-mail,Score\r\n7,invalidCell,Score,A number column expects a number.,pat.miller@example.com,many\r\n'
const csvOf = (text: string) => ({
  200: { description: 'CSV', content: { 'text/csv': { schema: z.string().meta({ examples: [text] }) } } },
})

const pageSize = 500
/** Rows of a report are as wide as their file. */
const reportPageSize = 50

export const downloadRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets } = services

  /** Who is in a segment of the list, as a condition. Errors: notFound, segmentBroken. */
  const membersOf = async (accountId: string, list: lists.List, segmentId: string) => {
    const { segment } = await segments.open(db, accountId, segmentId)
    if (segment.listId !== list.id) throw new FairleadError('notFound')
    const filter = segment.definition
    const clock = await clockOf(services, { accountId, filter }, new Date())
    return matching(db, secrets, accountId, list, { filter, clock })
  }

  /** Texts as a stream: the next one is made when the reader has taken the one before, none when he has gone. */
  const streamOf = (texts: AsyncIterable<string>): Readable => {
    const stream = Readable.from(texts, { objectMode: false, highWaterMark: 256 * 1024 })
    const stop = (): void => void stream.destroy()
    app.stopping.addEventListener('abort', stop)
    stream.once('close', () => app.stopping.removeEventListener('abort', stop))
    return stream
  }

  app.get(
    '/lists/:listId/download',
    {
      exposeHeadRoute: false,
      config: { role: 'viewer', problems: ['segmentBroken'] },
      schema: {
        tags: ['Records'],
        summary: 'Download a list as CSV',
        description:
          'All columns in their order, then `id`, `externalId`, `crmEntity`, `crmId` and `crmState`. Cells that a spreadsheet would take for a formula get an apostrophe in front, which an upload takes away again. Records that change meanwhile are shown as they are when their turn comes.',
        params: ListParams,
        querystring: ListFileQuery,
        response: csvOf(example),
      },
    },
    async ({ caller: { accountId }, params: { listId }, query: { delimiter, bom, segmentId } }, reply) => {
      const list = await lists.get(db, accountId, listId)
      const where = segmentId === undefined ? undefined : await membersOf(accountId, list, segmentId)
      const named = headersOf(await columns.all(db, accountId, listId))
      const sign = delimiters[delimiter]
      const gate = <T>(work: () => Promise<T>): Promise<T> => app.searching.gate(accountId, work)
      async function* texts(): AsyncGenerator<string> {
        const header = [...named.columns.map(({ header }) => header), ...named.others]
        yield `${bom === 'true' ? mark : ''}${writeRecord(header, sign)}`
        for await (const rows of eachPiece(db, accountId, list, { where, size: pageSize, gate })) {
          const lines = rows.map(({ values, id, externalId, crmEntity, crmId, crmState }) => {
            const others = [id, externalId, crmEntity, crmId, crmId === null ? null : crmState]
            return writeRecord(
              [...named.columns.map(({ key }) => writeCell(values[key])), ...others.map(writeCell)],
              sign,
            )
          })
          yield lines.join('')
        }
      }
      reply.header('content-disposition', attachment(list.name, 'csv')).type('text/csv; charset=utf-8')
      return reply.send(streamOf(texts()) as unknown as string)
    },
  )

  app.get(
    '/uploads/:uploadId/errors',
    {
      exposeHeadRoute: false,
      config: { role: 'viewer' },
      schema: {
        tags: ['Records'],
        summary: 'Rows of an upload that were rejected or skipped, as CSV',
        description:
          'Line, reason, column and sentence of each row, then the cells as they were in the file. It can be corrected and uploaded again: the columns that begin with `_` are left out then. Kept for 90 days.',
        params: z.strictObject({ uploadId: Id }),
        querystring: FileQuery,
        response: csvOf(reportExample),
      },
    },
    async ({ caller: { accountId }, params: { uploadId }, query: { delimiter, bom } }, reply) => {
      const run = await runs.get(db, accountId, uploadId)
      const upload = run.settings.upload
      if (upload === undefined) throw new FairleadError('notFound')
      const sign = delimiters[delimiter]
      const fileHeaders = upload.columns.map(({ header }) => header)
      const ours: readonly string[] = reportNames
      const places = [...fileHeaders.keys()].filter((place) => !ours.includes(fileHeaders[place]!))
      const own = places.map((place) => fileHeaders[place]!)
      async function* texts(): AsyncGenerator<string> {
        yield `${bom === 'true' ? mark : ''}${writeRecord([...reportNames, ...own], sign)}`
        for (let after: string | undefined; ;) {
          const rows = await uploads.pageRows(db, accountId, uploadId, { limit: reportPageSize, after })
          const lines = rows.map(({ code, row: { line, column = '', message, cells } }) => {
            const kept = [...places.map((place) => cells[place] ?? ''), ...cells.slice(fileHeaders.length)]
            return writeRecord([String(line), code ?? '', column, message, ...kept], sign)
          })
          yield lines.join('')
          if (rows.length < reportPageSize) return
          after = rows.at(-1)!.id
        }
      }
      reply.header('content-disposition', attachment(`${run.list?.name ?? 'upload'} errors`, 'csv'))
      return reply.type('text/csv; charset=utf-8').send(streamOf(texts()) as unknown as string)
    },
  )
}

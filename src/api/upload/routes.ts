import type { FastifyInstance } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Readable } from 'node:stream'
import { z } from 'zod'
import type { Head } from '../../csv/head.ts'
import { writePlace } from '../../csv/read.ts'
import { delimiters } from '../../csv/write.ts'
import * as audits from '../../db/audit.ts'
import * as columns from '../../db/column.ts'
import * as lists from '../../db/list.ts'
import * as uploads from '../../db/upload.ts'
import { FairleadError } from '../../domain/errors.ts'
import { mapHeader, refuseUnmatchable } from '../../domain/upload/header.ts'
import { actorOf } from '../auth.ts'
import { IdempotencyHeaders, once } from '../idempotency.ts'
import { ListParams } from '../record/input.ts'
import { Run } from '../run/json.ts'
import type { Services } from '../services.ts'
import { createAccountLimit } from './limit.ts'
import { headerOptionsOf, optionsOf, UploadQuery } from './options.ts'
import { drain, receive } from './receive.ts'

const mediaTypes = ['text/csv', 'text/plain', 'application/csv', 'application/vnd.ms-excel', 'application/octet-stream']

const CsvFile = z.unknown().meta({
  type: 'string',
  description: 'The file itself, not a form',
  examples: ['E-mail,First name,Last name\r\npat.miller@example.com,Pat,Miller\r\n'],
})

/** The body is passed on as it comes; whatever is no file is refused. */
const takeFiles = (app: Pick<FastifyInstance, 'removeContentTypeParser' | 'addContentTypeParser'>): void => {
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser(mediaTypes, (_request, body, done) => done(null, body))
  app.addContentTypeParser('*', (_request, _body, done) =>
    done(
      new FairleadError('unsupportedMediaType', {
        remedy: 'Send the file itself as the body with Content-Type: text/csv (curl: --data-binary @people.csv).',
      }),
    ),
  )
}

export const uploadRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db } = services
  // Each holds about two chunks in memory, for as long as its client sends, and now and then a database connection.
  const limit = createAccountLimit(5)
  takeFiles(app as unknown as FastifyInstance)

  app.post(
    '/lists/:listId/upload',
    {
      config: {
        role: 'marketer',
        problems: [
          'notCsv',
          'emptyFile',
          'headerMissing',
          'headerInvalid',
          'unknownColumn',
          'fieldReadOnly',
          'idempotencyMismatch',
        ],
      },
      schema: {
        tags: ['Records'],
        summary: 'Upload a CSV file',
        description:
          'Any size up to the operator’s limit. Encoding and delimiter are found out; the first row names the columns. What is wrong with the file as a whole is refused at once, with the line; a bad row is rejected by the run and harms no other (`GET /v1/uploads/{uploadId}/errors`; an upload has the id of its run). Uploads of a list run one after another. A request that breaks off stores nothing. A download that was edited comes back with `match=id`.',
        consumes: mediaTypes,
        headers: IdempotencyHeaders,
        params: ListParams,
        querystring: UploadQuery,
        body: CsvFile,
        response: { 200: Run, 202: Run },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller
      const { listId } = request.params
      const { query } = request
      await lists.get(db, accountId, listId)
      const known = await columns.all(db, accountId, listId)
      const headerOptions = headerOptionsOf(query)
      const options = optionsOf(query)
      const body = request.body as Readable | undefined
      const receiving = {
        accountId,
        listId,
        asked: { encoding: query.encoding, delimiter: query.delimiter && delimiters[query.delimiter] },
        mostBytes: app.uploadBytes,
        check: ({ header, line }: Head) => {
          refuseUnmatchable(mapHeader(header, line, known, headerOptions).columns, options.match, line)
        },
        stopping: app.stopping,
      }
      const length = Number(request.headers['content-length'] ?? 0)
      const { sha256, head, total, ...file } = await limit(
        accountId,
        () => receive(db, body, length, receiving),
        () => drain(body),
      )
      const { delimiter, header, line, next } = head
      request.body = { sha256, query }
      try {
        return await once(services, request, reply, async (tx) => {
          const cursor = writePlace(next)
          const received = { ...file, delimiter, options, header, line, headerOptions, total, cursor }
          const asked = await uploads.request(tx, accountId, listId, received)
          const details = { match: options.match }
          await audits.insert(tx, accountId, actorOf(request), {
            action: 'upload.start',
            targetId: asked.runId,
            details,
          })
          return asked
        })
      } finally {
        // what no run has taken over: an earlier request with the same key has brought the file already, or something failed
        await uploads.discard(db, accountId, file.fileId).catch(() => undefined)
      }
    },
  )
}

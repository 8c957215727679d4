import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { delimiters, mark, writeRecord } from '../../csv/write.ts'
import * as forms from '../../db/form.ts'
import * as submissions from '../../db/submission.ts'
import { answerTo, type Answers } from '../../domain/form.ts'
import { attachment } from '../disposition.ts'
import { instant } from '../schemas.ts'
import type { Services } from '../services.ts'
import { FileQuery } from '../upload/options.ts'
import { FormParams } from './input.ts'
import { State } from './submissionJson.ts'

const example =
  'id,receivedAt,state,code,email,company\r\n019ab3c6-1000-7000-8000-112233445566,2026-11-23T10:00:00.000Z,pushed,,pat.miller@example.com,Miller Ltd\r\n'
const csv = { description: 'CSV', content: { 'text/csv': { schema: z.string().meta({ examples: [example] }) } } }
const pageSize = 500

const cellOf = (answer: Answers[string] | undefined): string =>
  Array.isArray(answer) ? answer.join('; ') : answer === undefined ? '' : String(answer)

export const submissionFileRoutes: FastifyPluginAsyncZod<Services> = async (app, { db }) => {
  app.get(
    '/forms/:formId/submissions.csv',
    {
      exposeHeadRoute: false,
      config: { role: 'viewer' },
      schema: {
        tags: ['Forms'],
        summary: 'Download the submissions of a form as CSV',
        description:
          '`id`, `receivedAt`, `state`, `code`, then the answers in the order of the form’s fields, then those to fields that it has no more. Oldest first. Cells that a spreadsheet would take for a formula get an apostrophe in front.',
        params: FormParams,
        querystring: FileQuery.extend({ state: State.optional() }),
        response: { 200: csv },
      },
    },
    async ({ caller: { accountId }, params: { formId }, query: { delimiter, bom, state } }, reply) => {
      const form = await forms.getEver(db, accountId, formId)
      const names = await submissions.answerNames(db, formId)
      const sign = delimiters[delimiter]
      async function* texts(): AsyncGenerator<string> {
        yield `${bom === 'true' ? mark : ''}${writeRecord(['id', 'receivedAt', 'state', 'code', ...names], sign)}`
        for (let after: string | undefined; ;) {
          const rows = await submissions.pageForward(db, formId, { limit: pageSize, after, state })
          const lines = rows.map(({ id, receivedAt, state: is, code, answers }) =>
            writeRecord(
              [id, instant(receivedAt), is, code ?? '', ...names.map((name) => cellOf(answerTo(answers, name)))],
              sign,
            ),
          )
          yield lines.join('')
          if (rows.length < pageSize) return
          after = rows.at(-1)!.id
        }
      }
      const stream = Readable.from(texts(), { objectMode: false, highWaterMark: 256 * 1024 })
      const stop = (): void => void stream.destroy()
      app.stopping.addEventListener('abort', stop)
      stream.once('close', () => app.stopping.removeEventListener('abort', stop))
      reply.header('content-disposition', attachment(`${form.name} submissions`, 'csv'))
      return reply.type('text/csv; charset=utf-8').send(stream as unknown as string)
    },
  )
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { emailKeyOf, hashKeyOf } from '../../db/emailKey.ts'
import * as forms from '../../db/form.ts'
import * as idempotency from '../../db/idempotency.ts'
import type { Transaction } from '../../db/outbox.ts'
import * as submissions from '../../db/submission.ts'
import { FairleadError } from '../../domain/errors.ts'
import { addressFieldOf, languageOf, readAnswers, refuseClosed, type Answers } from '../../domain/form.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { claimOf, IdempotencyHeaders } from '../idempotency.ts'
import { Id, pageOf, PageQuery, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { FormParams } from './input.ts'
import { State, Submission, submissionJson } from './submissionJson.ts'

const tags = ['Forms']
const mostBytes = 256 * 1024

const Given = z.union([text(20_000), z.number(), z.boolean(), z.array(text(200)).max(1000), z.null()])
const NewSubmission = z
  .strictObject({
    answers: z
      .record(z.string(), Given)
      .meta({ description: 'by the name of the field; several choices are a list; at most 64 KiB' }),
    language: text(35)
      .optional()
      .meta({ description: 'of the person, such as `de`; one that the form has not is its first' }),
  })
  .meta({
    id: 'NewSubmission',
    examples: [
      { answers: { email: 'pat.miller@example.com', lastName: 'Miller', company: 'Miller Ltd', agrees: true } },
    ],
  })

const SubmissionQuery = PageQuery.extend({
  state: State.optional(),
  code: text(100).min(1).optional().meta({ description: 'only those of this cause' }),
})
const SubmissionParams = z.strictObject({ submissionId: Id })
const Retry = z
  .strictObject({ code: text(100).min(1) })
  .meta({ id: 'RetrySubmissions', examples: [{ code: 'requiredMissing' }] })
const Retried = z.object({ retried: z.number().int() }).meta({ id: 'RetriedSubmissions', examples: [{ retried: 12 }] })

/** Answers as a program sends them. Errors: invalidInput with every wrong answer, emptySubmission. */
const readGiven = (form: forms.Form, given: z.infer<typeof NewSubmission>): Answers => {
  const { language } = given
  const { answers, errors } = readAnswers(form.definition, given.answers, { unknown: 'refuse', language })
  const [first] = errors
  if (first === undefined) return answers
  const named = errors.map(({ path, ...error }) => ({ ...error, path: path === '' ? 'answers' : `answers.${path}` }))
  const code = first.code === 'emptySubmission' ? first.code : 'invalidInput'
  throw new FairleadError(code, { detail: `${named[0]!.path}: ${first.message}`, errors: named })
}

export const submissionRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets, relay, log }) => {
  /** Whoever has sent a submission does not wait for the engine. */
  const relayLater = (): void => {
    void relay().catch((error: unknown) => log.warn({ name: (error as Error).name }, 'the outbox was not handed over'))
  }
  const show = async (accountId: string, submissionId: string) =>
    submissionJson(await submissions.get(db, accountId, submissionId))

  app.post(
    '/forms/:formId/submissions',
    {
      bodyLimit: mostBytes,
      config: {
        role: 'marketer',
        problems: ['formClosed', 'formRemoved', 'emptySubmission', 'idempotencyMismatch'],
      },
      schema: {
        tags,
        summary: 'Submit a form',
        description:
          'It is stored before the answer is given, and reaches the list and the CRM by itself. Answers to fields that the form does not have are refused; hidden fields with a fixed value are filled in. Not limited by address.',
        params: FormParams,
        headers: IdempotencyHeaders,
        body: NewSubmission,
        response: { 202: Submission },
      },
    },
    async (request, reply) => {
      const { caller, params, body } = request
      const { accountId, apiKeyId } = caller
      const form = await forms.getEver(db, accountId, params.formId)
      refuseClosed(form)
      const { definition, version } = form
      const answers = readGiven(form, body)
      const address = answers[addressFieldOf(definition)?.name ?? '']
      const emailKey = emailKeyOf(await hashKeyOf(db, secrets, accountId), address)
      const language = languageOf(definition, body.language)
      const submit = async (tx: Transaction): Promise<idempotency.Answer> => {
        const { id } = await submissions.insert(tx, { form, version, answers, emailKey, language, apiKeyId })
        await submissions.takeConsent(tx, form, { answers, emailKey, submissionId: id })
        // people stay in one place: what is kept for a repetition is the id
        return { status: 202, location: `/v1/submissions/${id}`, body: { id } }
      }
      const answer = await idempotency.once(db, accountId, claimOf(request), submit, { beside: true })
      relayLater()
      reply.code(202).header('location', answer.location)
      return show(accountId, String(answer.body['id']))
    },
  )

  app.get(
    '/forms/:formId/submissions',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Submissions of a form, newest first',
        params: FormParams,
        querystring: SubmissionQuery,
        response: { 200: pageOf(Submission) },
      },
    },
    async ({ caller: { accountId }, params: { formId }, query: { limit, cursor, state, code } }) => {
      await forms.getEver(db, accountId, formId)
      const scope = [accountId, 'submissions', formId, state, code]
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await submissions.page(db, formId, { limit: limit + 1, before, state, code })
      return cutPage(rows, limit, submissionJson, ({ id }) => writeCursor(secrets, scope, id))
    },
  )

  app.post(
    '/forms/:formId/retry',
    {
      config: { role: 'marketer', problems: ['notRetryable'] },
      schema: {
        tags,
        summary: 'Try again what was rejected for one cause',
        description:
          'Answers are read by the version of the form that they were made with; its policy and its defaults are those of now. Answers how many.',
        params: FormParams,
        body: Retry,
        response: { 202: Retried },
      },
    },
    async ({ caller, id, params: { formId }, body: { code } }, reply) => {
      const retried = await submissions.retryAll(db, caller.accountId, { formId, code }, actorOf({ caller, id }))
      relayLater()
      return reply.code(202).send({ retried })
    },
  )

  app.get(
    '/submissions/:submissionId',
    {
      config: { role: 'viewer' },
      schema: { tags, summary: 'A submission', params: SubmissionParams, response: { 200: Submission } },
    },
    ({ caller, params: { submissionId } }) => show(caller.accountId, submissionId),
  )

  app.post(
    '/submissions/:submissionId/retry',
    {
      config: { role: 'marketer', problems: ['notRetryable'] },
      schema: {
        tags,
        summary: 'Try a rejected submission again',
        params: SubmissionParams,
        response: { 202: Submission },
      },
    },
    async ({ caller, id, params: { submissionId } }, reply) => {
      await submissions.retry(db, caller.accountId, submissionId, actorOf({ caller, id }))
      relayLater()
      reply.code(202).header('location', `/v1/submissions/${submissionId}`)
      return show(caller.accountId, submissionId)
    },
  )
}

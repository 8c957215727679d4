import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../../db/audit.ts'
import { close } from '../../db/delivery/report.ts'
import { activeOf, request as requestSend } from '../../db/delivery/request.ts'
import * as runs from '../../db/run/read.ts'
import { requestCancel } from '../../db/run/state.ts'
import { FairleadError, misplaced } from '../../domain/errors.ts'
import { actorOf } from '../auth.ts'
import { IdempotencyHeaders, once } from '../idempotency.ts'
import { Run, runJson } from '../run/json.ts'
import { Id, Instant, instant } from '../schemas.ts'
import type { Services } from '../services.ts'
import { refuseEmpty, refuseUnready } from './check.ts'

const tags = ['Messages']
const MessageParams = z.strictObject({ messageId: Id })
const farthestMs = 2 * 366 * 86_400_000

const Send = z
  .strictObject({
    at: Instant.optional().meta({
      description: 'when; without it, or when it is past, at once. At most two years ahead',
    }),
  })
  .meta({ id: 'SendMessage', examples: [{}, { at: '2026-12-01T08:00:00.000Z' }] })

const Closed = z.object({ id: Id, state: z.literal('sent'), sentAt: Instant }).meta({
  id: 'ClosedMessage',
  examples: [{ id: '019ab3c7-0000-7000-8000-112233445566', state: 'sent', sentAt: '2026-11-23T12:00:00.000Z' }],
})

/** Null: at once. */
const timeOf = ({ at }: z.infer<typeof Send>): Date | null => {
  if (at === undefined) return null
  const time = new Date(at)
  if (time.getTime() > Date.now() + farthestMs) throw misplaced('at', 'is more than two years ahead.')
  return time.getTime() <= Date.now() ? null : time
}

export const messageSendRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, mailConfigured, publicUrl, relay } = services

  app.post(
    '/messages/:messageId/send',
    {
      config: {
        role: 'marketer',
        problems: [
          'messageSent',
          'messageNotReady',
          'templateInvalid',
          'notOurSender',
          'mailNotConfigured',
          'publicUrlMissing',
          'conflict',
          'idempotencyMismatch',
        ],
      },
      schema: {
        tags,
        summary: 'Send a message, at once or at a time',
        description:
          'Its audience is frozen when it begins. One that is scheduled is scheduled anew, and the answer is 200 with its run. A message whose run has failed is sent on to those who are left.',
        headers: IdempotencyHeaders,
        params: MessageParams,
        body: Send.nullish().meta({ examples: [{}, { at: '2026-12-01T08:00:00.000Z' }] }),
        response: { 200: Run, 202: Run },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller
      const { messageId } = request.params
      const at = timeOf(request.body ?? {})
      // before the account is locked, since it may take a while
      if (mailConfigured && publicUrl !== null && at === null) await refuseEmpty(services, accountId, messageId)
      return once(services, request, reply, async (tx) => {
        const asked = await requestSend(tx, accountId, messageId, at)
        if (!mailConfigured) throw new FairleadError('mailNotConfigured')
        if (publicUrl === null) throw new FairleadError('publicUrlMissing')
        await refuseUnready(services, tx, accountId, messageId)
        const details = { runId: asked.runId, at: at === null ? null : instant(at) }
        await audits.insert(tx, accountId, actorOf(request), { action: 'message.send', targetId: messageId, details })
        return asked
      })
    },
  )

  app.post(
    '/messages/:messageId/cancel',
    {
      config: { role: 'marketer', problems: ['notSending', 'runFinished'] },
      schema: {
        tags,
        summary: 'Call a message off',
        description:
          'One that only waits for its time is a draft again. One that is being sent stops; who has not got it is listed as `messageCancelled`.',
        params: MessageParams,
        response: { 202: Run },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller
      const { messageId } = request.params
      const runId = await db.transaction((tx) => activeOf(tx, accountId, messageId))
      await requestCancel(db, accountId, runId)
      await audits.insert(db, accountId, actorOf(request), {
        action: 'message.cancel',
        targetId: messageId,
        details: { runId },
      })
      await relay()
      reply.code(202).header('location', `/v1/runs/${runId}`)
      return runJson(services, await runs.get(db, accountId, runId))
    },
  )

  app.post(
    '/messages/:messageId/close',
    {
      config: { role: 'marketer', problems: ['notOtherSender', 'notSending'] },
      schema: {
        tags,
        summary: 'End the reports of another sender',
        description: 'The message is `sent` from then on, and takes no more of them.',
        params: MessageParams,
        response: { 200: Closed },
      },
    },
    async ({ caller, id, params: { messageId } }) => {
      const sentAt = await close(db, caller.accountId, messageId, actorOf({ caller, id }))
      return { id: messageId, state: 'sent' as const, sentAt: instant(sentAt) }
    },
  )
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import * as messages from '../../db/message.ts'
import { FairleadError } from '../../domain/errors.ts'
import { readTyped } from '../../domain/typed.ts'
import { actorOf } from '../auth.ts'
import { poll } from '../poll.ts'
import type { Services } from '../services.ts'
import { MessageParams, MessageTestRequest } from './input.ts'
import { MessageTest } from './json.ts'

const addressesOf = (given: readonly string[]): string[] => {
  const errors = given.flatMap((email, index) =>
    typeof readTyped('email', email)[0] === 'string'
      ? []
      : [{ path: `to[${index}]`, message: 'Expects an address such as me@example.com.' }],
  )
  const [first] = errors
  if (first !== undefined)
    throw new FairleadError('invalidInput', { detail: `${first.path}: ${first.message}`, errors })
  return [...new Set(given.map((email) => email.trim()))]
}

const testJson = ({ id, state, code, accepted, rejected }: messages.MessageTest) => ({
  id,
  state,
  code,
  accepted,
  rejected,
})

export const messageTestRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, relay, mailConfigured, publicUrl } = services

  app.post(
    '/messages/:messageId/test',
    {
      config: { role: 'marketer', problems: ['mailNotConfigured', 'publicUrlMissing'] },
      schema: {
        tags: ['Messages'],
        summary: 'Send a test of a message',
        description:
          'To at most five addresses, just as the message itself would be sent, with the header `X-Fairlead-Test`. It makes no delivery and no note; its links lead to a page that says that this was a test. Answers when the mail server has, else 202 with state `waiting`.',
        params: MessageParams,
        body: MessageTestRequest,
        response: { 200: MessageTest, 202: MessageTest },
      },
    },
    async ({ caller, id, params: { messageId }, body: { to, recordId } }, reply) => {
      const { accountId } = caller
      const asked = { to: addressesOf(to), recordId }
      await messages.get(db, accountId, messageId)
      if (!mailConfigured) throw new FairleadError('mailNotConfigured')
      if (publicUrl === null) throw new FairleadError('publicUrlMissing')
      const made = await messages.insertTest(db, accountId, messageId, asked, actorOf({ caller, id }))
      await relay()
      const done = await poll(reply, async () => {
        const test = await messages.getTest(db, accountId, made.id)
        return test.state === 'waiting' ? undefined : test
      })
      reply.code(done === undefined ? 202 : 200)
      return testJson(done ?? made)
    },
  )
}

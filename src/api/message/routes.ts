import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as messages from '../../db/message.ts'
import { unknownPlaceholders } from '../../domain/message.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { checkAll } from './check.ts'
import { MessageChanges, MessageCopy, MessageParams, mostMessageBytes, NewMessage } from './input.ts'
import { Message, MessageCheck, MessageItem, messageItem, messageJson } from './json.ts'

const tags = ['Messages']
const saving = ['nameTaken', 'templateInvalid'] as const

type Templates = { subject?: string; preheader?: string; html?: string; text?: string | null }

export const messageRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets, compileMessage } = services

  /** Errors: templateInvalid. */
  const refuseBroken = ({ subject = '', preheader = '', html = '', text = null }: Templates): void =>
    void compileMessage({ subject, preheader, html, text })

  const show = async (message: messages.Message) => {
    const { accountId, id, definition } = message
    const known = await messages.placeholders(db, accountId, definition.audience)
    const warnings = unknownPlaceholders(compileMessage(definition).placeholders(), known)
    return messageJson(message, { counts: await messages.countStates(db, accountId, id), warnings })
  }

  app.get(
    '/messages',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Messages, newest first',
        querystring: PageQuery,
        response: { 200: pageOf(MessageItem) },
      },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'messages']
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await messages.page(db, accountId, { limit: limit + 1, before })
      return cutPage(rows, limit, messageItem, ({ id }) => writeCursor(secrets, scope, id))
    },
  )

  app.post(
    '/messages',
    {
      bodyLimit: mostMessageBytes,
      config: { role: 'marketer', problems: [...saving] },
      schema: {
        tags,
        summary: 'Write a message',
        description:
          'A draft. A template that cannot be read is refused with line and column; a placeholder that no list of the audience has is a warning until it is sent.',
        body: NewMessage,
        response: { 201: Message },
      },
    },
    async ({ caller, id, body }, reply) => {
      refuseBroken(body)
      const made = await messages.insert(db, caller.accountId, body, actorOf({ caller, id }))
      reply.code(201).header('location', `/v1/messages/${made.id}`)
      return show(made)
    },
  )

  app.get(
    '/messages/:messageId',
    {
      config: { role: 'viewer' },
      schema: { tags, summary: 'A message', params: MessageParams, response: { 200: Message } },
    },
    async ({ caller, params: { messageId } }) => show(await messages.get(db, caller.accountId, messageId)),
  )

  app.patch(
    '/messages/:messageId',
    {
      bodyLimit: mostMessageBytes,
      config: { role: 'marketer', problems: ['conflict', 'messageSent', ...saving] },
      schema: {
        tags,
        summary: 'Change a message',
        description:
          'What is left out stays, within `audience` too; `from` is given as a whole. Each change makes a version; what changes nothing makes none. `conflict` names the present version. One that is being sent, or was, is not changed: copy it.',
        params: MessageParams,
        body: MessageChanges,
        response: { 200: Message },
      },
    },
    async ({ caller, id, params: { messageId }, body }) => {
      refuseBroken(body)
      return show(await messages.update(db, caller.accountId, messageId, body, actorOf({ caller, id })))
    },
  )

  app.delete(
    '/messages/:messageId',
    {
      config: { role: 'marketer', problems: ['messageSent'] },
      schema: {
        tags,
        summary: 'Remove a message',
        description:
          'What was sent of it stays, with previews and notes. One that is scheduled or being sent is called off first.',
        params: MessageParams,
        response: { 204: z.undefined() },
      },
    },
    async ({ caller, id, params: { messageId } }, reply) => {
      await messages.remove(db, caller.accountId, messageId, actorOf({ caller, id }))
      return reply.code(204).send()
    },
  )

  app.post(
    '/messages/:messageId/copy',
    {
      config: { role: 'marketer', problems: ['nameTaken'] },
      schema: {
        tags,
        summary: 'Copy a message',
        description:
          'A draft with the same content. Lists and segments that were removed are left out of its audience.',
        params: MessageParams,
        body: MessageCopy.nullish().meta({ examples: [{ name: 'Summer news' }] }),
        response: { 201: Message },
      },
    },
    async ({ caller, id, params: { messageId }, body }, reply) => {
      const made = await messages.copy(db, caller.accountId, messageId, body?.name, actorOf({ caller, id }))
      reply.code(201).header('location', `/v1/messages/${made.id}`)
      return show(made)
    },
  )

  app.get(
    '/messages/:messageId/check',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'What would become of a message if it were sent now',
        description: 'What keeps it from being sent, how many would get it, and how many would not, by reason.',
        params: MessageParams,
        response: { 200: MessageCheck },
      },
    },
    async ({ caller: { accountId }, params: { messageId } }) => {
      const message = await messages.get(db, accountId, messageId)
      return app.searching.gate(accountId, () => checkAll(services, message))
    },
  )
}

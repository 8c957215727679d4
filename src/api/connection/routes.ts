import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../../db/audit.ts'
import * as connections from '../../db/connection.ts'
import { FairleadError } from '../../domain/errors.ts'
import { actorOf } from '../auth.ts'
import { poll } from '../poll.ts'
import { text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Connection, readConnection } from './json.ts'

const Login = z.strictObject({ username: text(256).min(1), password: text(1024).min(1) })
const Credentials = Login.extend({
  url: text(2048).trim().min(1).meta({ description: 'The address that you type into the browser; it is completed' }),
}).meta({
  id: 'Credentials',
  examples: [{ url: 'https://crm.example.com', username: 'fairlead', password: 'correct horse battery staple' }],
})
const Reconfirmation = Login.meta({
  id: 'Reconfirmation',
  examples: [{ username: 'fairlead', password: 'correct horse battery staple' }],
})

const tags = ['Connection']
const problems = [
  'connectorDisabled',
  'connectionBusy',
  'otherCrm',
  'invalidUrl',
  'hostNotAllowed',
  'notInforCrm',
  'crmUnreachable',
  'crmCertificate',
  'crmTimeout',
  'crmBusy',
  'crmFailed',
  'crmAnswer',
  'redirectRefused',
  'loginRefused',
  'passwordExpired',
  'mfaRequired',
  'notAdministrator',
  'noRight',
  'entityDisabled',
] as const

export const connectionRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets, relay }) => {
  /** Waits for the check of new credentials: 200 when they were accepted, their problem when not, 202 while nobody knows. */
  const settle = async (
    accountId: string,
    { connectionId, candidateId }: connections.CandidateKey,
    reply: FastifyReply,
  ): Promise<Connection> => {
    await relay()
    const judged = await poll(reply, async () => {
      const found = await connections.findCandidate(db, accountId, connectionId)
      if (found?.id !== candidateId) return { state: 'replaced', problem: null } as const
      return found.state === 'checking' ? undefined : found
    })
    if (judged?.state === 'replaced') {
      throw new FairleadError('connectionBusy', {
        detail: 'The connection was reset, or other credentials were handed in, while these were checked.',
        remedy: 'GET /v1/connection shows what holds now; send them again if they are still wanted.',
      })
    }
    if (judged?.state === 'refused') {
      const { code = 'internal', detail, remedy, crm } = judged.problem ?? {}
      throw new FairleadError(code, { detail, remedy, crm })
    }
    reply.code(judged === undefined ? 202 : 200)
    return readConnection(db, accountId)
  }

  app.get(
    '/connection',
    {
      config: { role: 'viewer' },
      schema: { tags, summary: 'The connection to the CRM', response: { 200: Connection } },
    },
    ({ caller }) => readConnection(db, caller.accountId),
  )

  app.put(
    '/connection',
    {
      config: { role: 'admin', problems },
      schema: {
        tags,
        summary: 'Connect an Infor CRM',
        description:
          'Checks the credentials and answers within 20 seconds; 202 with `check.state` `checking` when the CRM takes longer. Refused credentials change nothing.',
        body: Credentials,
        response: { 200: Connection, 202: Connection },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller
      const key = await connections.propose(db, secrets, accountId, { ...request.body, mode: 'connect' })
      const entry = { action: 'connection.connect', targetId: key.connectionId } as const
      await audits.insert(db, accountId, actorOf(request), entry)
      return settle(accountId, key, reply)
    },
  )

  app.post(
    '/connection/reconfirm',
    {
      config: { role: 'admin', problems: [...problems, 'notConnected'] },
      schema: {
        tags,
        summary: 'Give a new user name or password',
        description: 'Lists, schedules and links stay; work that was held goes on by itself.',
        body: Reconfirmation,
        response: { 200: Connection, 202: Connection },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller
      const input = { ...request.body, url: '', mode: 'reconfirm' } as const
      const key = await connections.propose(db, secrets, accountId, input)
      const entry = { action: 'connection.reconfirm', targetId: key.connectionId } as const
      await audits.insert(db, accountId, actorOf(request), entry)
      return settle(accountId, key, reply)
    },
  )

  app.post(
    '/connection/reset',
    {
      config: { role: 'admin', problems: ['notConnected'] },
      schema: {
        tags,
        summary: 'Disconnect the CRM',
        description: 'The password is erased and work under way is cancelled; lists and history stay readable.',
        response: { 200: Connection },
      },
    },
    async ({ caller, id }) => {
      const { accountId } = caller
      const found = await connections.findActive(db, accountId)
      await connections.reset(db, accountId)
      await audits.insert(db, accountId, actorOf({ caller, id }), { action: 'connection.reset', targetId: found?.id })
      await relay()
      return readConnection(db, accountId)
    },
  )
}

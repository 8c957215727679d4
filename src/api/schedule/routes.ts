import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as connections from '../../db/connection.ts'
import type { Database } from '../../db/database.ts'
import type { Transaction } from '../../db/outbox.ts'
import * as schedules from '../../db/schedule.ts'
import { slotCount } from '../../domain/schedule.ts'
import { actorOf } from '../auth.ts'
import { Id } from '../schemas.ts'
import type { Services } from '../services.ts'
import { NewSchedule } from './input.ts'
import { Planner, Schedule, showPlanner, showSchedule } from './json.ts'

const tags = ['Schedules']

type Holding = {
  what: 'list' | 'segment'
  path: string
  params: z.ZodType<Record<string, string>>
  find: (db: Database | Transaction, accountId: string, params: Record<string, string>) => Promise<schedules.Holder>
}

const holdings: Holding[] = [
  {
    what: 'list',
    path: '/lists/:listId/schedule',
    params: z.strictObject({ listId: Id }),
    find: (db, accountId, { listId }) => schedules.listHolder(db, accountId, listId!),
  },
  {
    what: 'segment',
    path: '/segments/:segmentId/schedule',
    params: z.strictObject({ segmentId: Id }),
    find: (db, accountId, { segmentId }) => schedules.segmentHolder(db, accountId, segmentId!),
  },
]

/** T1–T3: the schedule of a list or segment. */
const routesOf =
  ({ what, path, params, find }: Holding): FastifyPluginAsyncZod<Services> =>
  async (app, { db, relay }) => {
    app.get(
      path,
      {
        config: { role: 'viewer' },
        schema: {
          tags,
          summary: `The schedule of a ${what}`,
          description: 'With the next five times, exactly as they will fire.',
          params,
          response: { 200: Schedule },
        },
      },
      async ({ caller: { accountId }, params: given }) => showSchedule(db, accountId, await find(db, accountId, given)),
    )

    app.put(
      path,
      {
        config: { role: 'admin', problems: ['notConnected', 'conflict', 'slotsFull'] },
        schema: {
          tags,
          summary: `Give a ${what} a schedule, or change it`,
          description:
            'A new one takes the lowest free slot of the ten; when all are taken, the answer names the holders. Everything is replaced. A paused schedule stays paused.',
          params,
          body: NewSchedule,
          response: { 200: Schedule },
        },
      },
      async ({ caller, id, params: given, body }) => {
        const { accountId } = caller
        const holderOf = (tx: Transaction) => find(tx, accountId, given)
        const stored = await schedules.put(db, accountId, holderOf, body, actorOf({ caller, id }))
        await relay()
        return showSchedule(db, accountId, schedules.holderOf(stored))
      },
    )

    app.delete(
      path,
      {
        config: { role: 'admin' },
        schema: {
          tags,
          summary: `End the schedule of a ${what}`,
          description: 'Its slot is free at once; a run under way goes on; the history stays.',
          params,
          response: { 204: z.undefined() },
        },
      },
      async ({ caller, id, params: given }, reply) => {
        const { accountId } = caller
        const holderOf = (tx: Transaction) => find(tx, accountId, given)
        await schedules.remove(db, accountId, holderOf, actorOf({ caller, id }))
        await relay()
        return reply.code(204).send()
      },
    )

    const changes = {
      pause: { change: schedules.pause, problems: [], description: 'Its slot is free for others.' },
      resume: {
        change: schedules.resume,
        problems: ['notConnected', 'conflict', 'slotsFull'],
        description: 'Takes the lowest free slot. What was due meanwhile is not caught up.',
      },
    } as const
    for (const [name, { change, problems, description }] of Object.entries(changes))
      app.post(
        `${path}/${name}`,
        {
          config: { role: 'admin', problems },
          schema: {
            tags,
            summary: `${name === 'pause' ? 'Pause' : 'Resume'} the schedule of a ${what}`,
            description,
            params,
            response: { 200: Schedule },
          },
        },
        async ({ caller, id, params: given }) => {
          const { accountId } = caller
          const holderOf = (tx: Transaction) => find(tx, accountId, given)
          const changed = await change(db, accountId, holderOf, actorOf({ caller, id }))
          await relay()
          return showSchedule(db, accountId, schedules.holderOf(changed))
        },
      )
  }

export const scheduleRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  for (const holding of holdings) await app.register(routesOf(holding), services)

  app.get(
    '/schedules',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'The planner: the ten slots of the account',
        description:
          'Who holds them, when each is due next, what is due in the same minute, and what became of the last time.',
        response: { 200: Planner },
      },
    },
    async ({ caller: { accountId } }) => {
      const connection = await connections.findActive(services.db, accountId)
      const held = connection?.state === 'needsReconfirm'
      return showPlanner(services.db, accountId, { slotCount, held })
    },
  )
}

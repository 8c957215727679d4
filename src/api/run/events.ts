import type { FastifyInstance } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { Readable } from 'node:stream'
import { z } from 'zod'
import * as runs from '../../db/run/read.ts'
import { isOver } from '../../domain/run.ts'
import { exampleOf, Id } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Run, runJson } from './json.ts'

const heartbeatMs = 15_000
/** A reader that is too slow misses states in between, never the last one. */
const mostBuffered = 256 * 1024

type Watch = { streams: Set<Readable>; last: string; sequence: number; timer: NodeJS.Timeout }

/** One look at the run each interval, however many people watch it; the last event is the run's end. */
const createWatches = (
  app: FastifyInstance,
  load: (accountId: string, runId: string) => Promise<Run>,
  everyMs: number,
) => {
  const watches = new Map<string, Watch>()

  const end = (runId: string) => {
    const watch = watches.get(runId)
    if (watch === undefined) return
    clearInterval(watch.timer)
    watches.delete(runId)
    for (const stream of watch.streams) stream.push(null)
  }

  const tell = (runId: string, watch: Watch, run: Run) => {
    const text = JSON.stringify(run)
    const over = isOver(run.state)
    if (text !== watch.last) {
      watch.last = text
      watch.sequence += 1
      const frame = `id: ${watch.sequence}\nevent: run\ndata: ${text}\n\n`
      for (const stream of watch.streams) if (over || stream.readableLength < mostBuffered) stream.push(frame)
    }
    if (over) end(runId)
  }

  const watch = (accountId: string, runId: string): Watch => {
    let busy = false
    const look = async () => {
      if (busy) return
      busy = true
      // While the database is away the watch goes on; a run never disappears.
      await load(accountId, runId)
        .then((run) => watches.has(runId) && tell(runId, made, run))
        .catch((error: unknown) =>
          app.log.warn({ runId, error: error instanceof Error ? error.name : '' }, 'watch failed'),
        )
      busy = false
    }
    const made: Watch = { streams: new Set(), last: '', sequence: 0, timer: setInterval(() => void look(), everyMs) }
    watches.set(runId, made)
    return made
  }

  app.stopping.addEventListener('abort', () => {
    for (const runId of watches.keys()) end(runId)
  })

  return async (accountId: string, runId: string): Promise<Readable> => {
    const run = await load(accountId, runId)
    const beats = setInterval(() => {
      if (watches.get(runId)?.streams.has(stream)) stream.push(': still here\n\n')
    }, heartbeatMs)
    const stream = new Readable({
      read: () => undefined,
      destroy: (error, done) => {
        clearInterval(beats)
        const watched = watches.get(runId)
        watched?.streams.delete(stream)
        if (watched?.streams.size === 0) end(runId)
        done(error)
      },
    })
    stream.push(`event: run\ndata: ${JSON.stringify(run)}\n\n`)
    if (isOver(run.state)) stream.push(null)
    else (watches.get(runId) ?? watch(accountId, runId)).streams.add(stream)
    return stream
  }
}

const EventHeaders = z.looseObject({
  'last-event-id': z
    .string()
    .optional()
    .meta({ description: 'tolerated: the first event is always the run as it is now' }),
})

const runExample = JSON.stringify(exampleOf(Run))
const EventStream = z.string().meta({ examples: [`event: run\ndata: ${runExample}\n\n`] })

export const eventRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db } = services
  const load = async (accountId: string, runId: string) => runJson(services, await runs.get(db, accountId, runId))
  const open = createWatches(app as unknown as FastifyInstance, load, app.watchMs)

  app.get(
    '/runs/:runId/events',
    {
      exposeHeadRoute: false,
      config: { role: 'viewer' },
      schema: {
        tags: ['Runs'],
        summary: 'Follow a run',
        description:
          'Server-Sent Events: `event: run` with the run as JSON, now and whenever it changes, at most once a second. The stream ends after the final state.',
        headers: EventHeaders,
        params: z.strictObject({ runId: Id }),
        response: { 200: { description: 'Events', content: { 'text/event-stream': { schema: EventStream } } } },
      },
    },
    async ({ caller, params }, reply) => {
      const stream = await open(caller.accountId, params.runId)
      reply.header('cache-control', 'no-cache').header('x-accel-buffering', 'no').type('text/event-stream')
      return reply.send(stream as unknown as string)
    },
  )
}

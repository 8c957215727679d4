import type { FastifyReply, FastifyRequest } from 'fastify'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import * as idempotency from '../db/idempotency.ts'
import type { Transaction } from '../db/outbox.ts'
import * as runs from '../db/run/read.ts'
import { runJson, type Run } from './run/json.ts'
import type { Services } from './services.ts'

/** Other headers are no concern of ours, so this one schema is not strict. */
export const IdempotencyHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable characters without blanks')
    .optional()
    .meta({
      description: 'Repeating a request with the same key within a day repeats its answer and starts nothing twice',
    }),
})

export const claimOf = (request: FastifyRequest): idempotency.Claim | undefined => {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string') return undefined
  const asked = JSON.stringify([request.method, request.routeOptions.url, request.params, request.body ?? null])
  return { key, request: createHash('sha256').update(asked).digest() }
}

type Start = (tx: Transaction) => Promise<{ runId: string; created: boolean }>

/** Starts a run once per Idempotency-Key; repetitions, also concurrent ones, get the first answer. All that `start` writes stands or falls together. */
export const once = async (
  services: Services,
  request: FastifyRequest,
  reply: FastifyReply,
  start: Start,
): Promise<Run> => {
  const { accountId } = request.caller
  const { status, location, body } = await idempotency.once(services.db, accountId, claimOf(request), async (tx) => {
    const { runId, created } = await start(tx)
    const run = await runs.get(tx, accountId, runId)
    return { status: created ? 202 : 200, location: `/v1/runs/${runId}`, body: runJson(services, run) }
  })
  await services.relay()
  reply.code(status).header('location', location)
  return body as Run
}

import type { FastifyReply, FastifyRequest } from 'fastify'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../db/database.ts'
import * as idempotency from '../db/idempotency.ts'
import { FairleadError } from '../domain/errors.ts'
import { sleep } from './poll.ts'

/** Other headers are no concern of ours, so this one schema is not strict. */
export const IdempotencyHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable characters without blanks')
    .optional()
    .meta({ description: 'Repeating a request with the same key repeats its answer and starts nothing twice' }),
})

const requestHash = (request: FastifyRequest): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([request.method, request.routeOptions.url, request.params, request.body ?? null]))
    .digest()

const waitMs = 20_000

export type Started<Body> = { status: number; location: string; body: Body }

/** Runs `start` once per Idempotency-Key; repetitions, also concurrent ones, get the first answer. */
export const once = async <Body extends Record<string, unknown>>(
  db: Database,
  request: FastifyRequest,
  reply: FastifyReply,
  start: () => Promise<Started<Body>>,
): Promise<Body> => {
  const say = ({ status, location, body }: Started<Body>) => {
    reply.code(status).header('location', location)
    return body
  }
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string') return say(await start())
  const { accountId } = request.caller
  const hash = requestHash(request)
  for (const began = Date.now(); Date.now() - began < waitMs; await sleep(50)) {
    const claim = await idempotency.claim(db, accountId, key, hash)
    if (claim.state === 'answered') return say(claim.answer as Started<Body>)
    if (claim.state === 'pending') continue
    try {
      const answer = await start()
      await idempotency.update(db, accountId, key, answer)
      return say(answer)
    } catch (error) {
      await idempotency.remove(db, accountId, key)
      throw error
    }
  }
  throw new FairleadError('conflict', { detail: 'The first request with this Idempotency-Key has not ended yet.' })
}

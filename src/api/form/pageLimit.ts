import type { FastifyInstance, FastifyRequest } from 'fastify'
import { FairleadError } from '../../domain/errors.ts'
import { networkOf } from '../network.ts'

/** Requests a minute of one address. */
export type PageLimits = {
  /** of any kind, to all forms */
  requests: number
  /** what is sent to one form */
  posts: number
  /** of these, what comes without the token of a page: by a program, or by a form on another page */
  postsWithoutToken: number
}
const usualLimits: PageLimits = { requests: 600, posts: 60, postsWithoutToken: 10 }

export type PageLimit = (request: FastifyRequest) => Promise<void>

/** Counts in memory, for a minute; addresses go nowhere else. Errors: tooManyRequests. */
export const createLimit = (
  app: FastifyInstance,
  max: number,
  keyOf: (request: FastifyRequest) => string,
): PageLimit => {
  const count = app.createRateLimit({ max, timeWindow: '1 minute', keyGenerator: keyOf })
  return async (request) => {
    const result = await count(request)
    if (!result.isAllowed && result.isExceeded) throw new FairleadError('tooManyRequests', { retryAfterMs: result.ttl })
  }
}

export const createPageLimits = (
  app: FastifyInstance,
  limits: Partial<PageLimits>,
): Record<keyof PageLimits, PageLimit> => {
  const { requests, posts, postsWithoutToken } = { ...usualLimits, ...limits }
  const perForm = (request: FastifyRequest) => `${networkOf(request.ip)} ${request.form?.id ?? ''}`
  return {
    requests: createLimit(app, requests, ({ ip }) => networkOf(ip)),
    posts: createLimit(app, posts, perForm),
    postsWithoutToken: createLimit(app, postsWithoutToken, perForm),
  }
}

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isIPv6 } from 'node:net'
import { FairleadError } from '../../domain/errors.ts'

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

/** An IPv4 address, or the first half of an IPv6 one: whoever has one has all of the second half. */
const networkOf = (ip: string): string => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  if (mapped !== undefined || !isIPv6(ip)) return mapped ?? ip
  const [head = '', tail = ''] = ip.toLowerCase().split('%')[0]!.split('::')
  const before = head.split(':').filter((part) => part !== '')
  const after = tail.split(':').filter((part) => part !== '')
  const blank = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  const groups = [...before, ...blank, ...after].map((part) => part.replace(/^0+(?=.)/, ''))
  return groups.slice(0, 4).join(':')
}

type PageLimit = (request: FastifyRequest) => Promise<void>

/** Counts in memory, for a minute; addresses go nowhere else. Errors: tooManyRequests. */
const createLimit = (app: FastifyInstance, max: number, keyOf: (request: FastifyRequest) => string): PageLimit => {
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

import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as apiKeys from '../db/apiKey.ts'
import type { Actor } from '../db/audit.ts'
import { permits, type Role } from '../domain/account.ts'
import { FairleadError, type ErrorCode } from '../domain/errors.ts'
import type { Services } from './services.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** what a key needs to call this route (R36) */
    role?: Role
    /** codes that the route answers beside the common ones */
    problems?: readonly ErrorCode[]
  }
  interface FastifyRequest {
    /** whose key it is; set before any route of /v1 runs */
    caller: { accountId: string; apiKeyId: string; role: Role }
  }
}

export type Limits = {
  /** requests a minute of one key */
  perKey: number
  /** refused keys a minute of one address */
  refusedPerAddress: number
}

export const actorOf = ({ caller, id }: Pick<FastifyRequest, 'caller' | 'id'>): Actor => ({
  apiKeyId: caller.apiKeyId,
  requestId: id,
})

const keyOf = (header: string | undefined): string | undefined => /^Bearer +(fl_[\w-]{43})$/i.exec(header ?? '')?.[1]

/** Every route of the scope needs a key; a route that forgets to name its role does not start. */
export const requireKeys = (app: FastifyInstance, { db }: Services, limits: Limits): void => {
  const perAddress = app.createRateLimit({ max: limits.refusedPerAddress, timeWindow: '1 minute' })
  const perKey = app.createRateLimit({
    max: limits.perKey,
    timeWindow: '1 minute',
    keyGenerator: (request) => request.caller.apiKeyId,
  })
  const count = async (limiter: typeof perKey, request: FastifyRequest): Promise<void> => {
    const result = await limiter(request)
    if (!result.isAllowed && result.isExceeded) throw new FairleadError('tooManyRequests', { retryAfterMs: result.ttl })
  }
  const identify = async (request: FastifyRequest) => {
    const key = keyOf(request.headers.authorization)
    const found = key === undefined ? undefined : await apiKeys.findByKey(db, key)
    if (found !== undefined && found.revokedAt === null && (found.expiresAt === null || found.expiresAt > new Date())) {
      return found
    }
    await count(perAddress, request)
    throw new FairleadError(
      found === undefined ? 'unauthenticated' : found.revokedAt === null ? 'keyExpired' : 'keyRevoked',
    )
  }

  app.decorateRequest('caller')
  app.addHook('onRoute', (route) => {
    if (route.config?.role === undefined) throw new Error(`${route.url} names no role`)
  })
  app.addHook('onRequest', async (request) => {
    const { id: apiKeyId, accountId, role, lastUsedAt } = await identify(request)
    request.caller = { accountId, apiKeyId, role }
    await count(perKey, request)
    const minuteAgo = Date.now() - 60_000
    if (lastUsedAt === null || lastUsedAt.getTime() < minuteAgo) await apiKeys.touch(db, accountId, apiKeyId)
    const needed = request.routeOptions.config.role ?? 'admin'
    if (!permits(role, needed)) {
      throw new FairleadError('forbidden', { detail: `This needs the role ${needed}; the key has the role ${role}.` })
    }
  })
}

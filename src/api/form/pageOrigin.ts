import type { FastifyReply, FastifyRequest } from 'fastify'
import { FairleadError } from '../../domain/errors.ts'

const originOf = (url: string | undefined): string | undefined => {
  try {
    return url === undefined ? undefined : new URL(url).origin
  } catch {
    return 'null'
  }
}

/** The page itself. A proxy in front can change the name of the host, so the browser's own word and PUBLIC_URL count too. */
const isOwn = ({ headers, host }: FastifyRequest, origin: string, publicUrl: string | null): boolean =>
  headers['sec-fetch-site'] === 'same-origin' ||
  origin.replace(/^https?:\/\//, '') === host ||
  (publicUrl !== null && originOf(publicUrl) === origin)

/**
 * Lets scripts of the form's origins read the answer, never with credentials, and refuses posts from elsewhere. A browser names where a post
 * comes from; what names nothing is no page of another site, and is taken with the token of a page only. Errors: originNotAllowed.
 */
export const checkOrigin = (
  request: FastifyRequest,
  reply: FastifyReply,
  { allowed, publicUrl }: { allowed: readonly string[]; publicUrl: string | null },
): void => {
  const { origin, referer } = request.headers
  reply.headers({ vary: 'Origin, Accept-Language', 'access-control-expose-headers': 'retry-after' })
  if (allowed.length === 0) reply.header('access-control-allow-origin', '*')
  else if (origin !== undefined && allowed.includes(origin)) reply.header('access-control-allow-origin', origin)
  if (request.method !== 'POST' || allowed.length === 0) return
  const from = origin ?? originOf(referer)
  if (from !== undefined && !allowed.includes(from) && !isOwn(request, from, publicUrl))
    throw new FairleadError('originNotAllowed')
}

/** True where neither header tells where a post comes from. */
export const comesFromNowhere = ({ headers }: FastifyRequest): boolean =>
  headers.origin === undefined && headers.referer === undefined

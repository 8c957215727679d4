import type { lookup } from 'node:dns'
import { Agent } from 'undici'
import type { AttemptError, SendWebhook, Sent } from '../domain/alert.ts'
import { isFairleadError } from '../domain/errors.ts'
import { createHostGuard, createLookup } from '../http/host.ts'
import { signed } from './sign.ts'

const timeoutMs = 10_000
/** So much of an answer is passed over before the connection is closed; nothing of it is kept. */
const answerBytes = 64 * 1024

const certificate = /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)|HOSTNAME_)/

/** Only what kind of failure it was: the system's words may hold addresses. */
const kindOf = (error: unknown): AttemptError => {
  for (let each = error; each instanceof Error;) {
    if (isFairleadError(each)) return 'hostNotAllowed'
    const code = (each as NodeJS.ErrnoException).code ?? ''
    if (each.name === 'TimeoutError' || /TIMEOUT|TIMEDOUT/.test(code)) return 'timeout'
    if (certificate.test(code)) return 'certificate'
    each = each instanceof AggregateError ? each.errors[0] : each.cause
  }
  return 'unreachable'
}

/** 410 says that the receiver wants no more of it. */
const judge = (status: number): Sent => {
  if (status >= 200 && status < 300) return { status, error: null }
  if (status >= 300 && status < 400) return { status, error: 'redirect' }
  return { status, error: 'answer', final: status === 410 }
}

/**
 * One attempt at a time to hand something to a program: never to link-local or metadata addresses, also where a name resolves to one, never
 * after a redirect, and never for longer than ten seconds. `allowedHosts` is WEBHOOK_ALLOWED_HOSTS.
 */
export const openWebhooks = (
  allowedHosts: string,
  resolve?: typeof lookup,
): { send: SendWebhook; close: () => Promise<void> } => {
  const checkHost = createHostGuard(allowedHosts)
  const agent = new Agent({
    connections: 8,
    pipelining: 0,
    connect: { timeout: timeoutMs, lookup: createLookup(resolve) },
  })
  return {
    async send({ url, ...message }) {
      try {
        const target = new URL(url)
        checkHost(target.hostname)
        const reply = await agent.request({
          origin: target.origin,
          path: `${target.pathname}${target.search}`,
          method: 'POST',
          headers: { 'content-type': 'application/json', 'user-agent': 'Fairlead', ...signed(message) },
          body: message.body,
          signal: AbortSignal.timeout(timeoutMs),
        })
        await reply.body.dump({ limit: answerBytes }).catch(() => undefined)
        return judge(reply.statusCode)
      } catch (error) {
        return { status: null, error: kindOf(error) }
      }
    },
    close: () => agent.destroy(),
  }
}

import type { FastifyReply } from 'fastify'
import { promisify } from 'node:util'

export const sleep = promisify(setTimeout)
const everyMs = 100

/** Asks until there is an answer; undefined when the client is gone, the API closes, or `waitMs` have passed. */
export const poll = async <Answer>(
  reply: FastifyReply,
  ask: () => Promise<Answer | undefined>,
  waitMs = reply.server.waitMs,
): Promise<Answer | undefined> => {
  let gone = false
  reply.raw.once('close', () => (gone = true))
  for (const began = performance.now(); ; await sleep(everyMs)) {
    const answer = await ask()
    const { aborted } = reply.server.stopping
    if (answer !== undefined || gone || aborted || performance.now() - began >= waitMs) return answer
  }
}

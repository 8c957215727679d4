import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as views from '../../db/delivery/view.ts'
import type { Preview } from '../../db/delivery/preview.ts'
import { shortNetworkOf } from '../network.ts'
import type { Services } from '../services.ts'

export const browsers = ['firefox', 'edge', 'chrome', 'safari', 'bot', 'other'] as const
export type Browser = (typeof browsers)[number]

const robot =
  /bot\b|bot\/|crawl|spider|slurp|preview|scan|fetch|monitor|headless|curl\/|wget\/|python|java\/|okhttp|go-http|axios|node/i

/** The order counts: most browsers call themselves the ones before them, too. */
const families: [RegExp, Browser][] = [
  [robot, 'bot'],
  [/\b(Edg|EdgA|EdgiOS|Edge)\//, 'edge'],
  [/\b(Firefox|FxiOS)\//, 'firefox'],
  [/\b(OPR|Opera|SamsungBrowser|Vivaldi|YaBrowser)\b/, 'other'],
  [/\b(Chrome|Chromium|CriOS)\//, 'chrome'],
  [/\bVersion\/[\d.]+.*\bSafari\//, 'safari'],
]

/** All that is kept of a User-Agent. */
export const browserOf = (agent: string | undefined): Browser =>
  families.find(([pattern]) => pattern.test((agent ?? '').slice(0, 1000)))?.[1] ?? 'other'

/** More than so many at once means that the database is in trouble; they are dropped. */
const mostOpen = 100

/** Keeps who looked, beside the answer: it waits for nothing, and what cannot be written is left out. */
export const createVisits = (app: FastifyInstance, { db, log }: Services) => {
  const open = new Set<Promise<void>>()
  app.addHook('onClose', async () => {
    await Promise.all(open)
  })
  return (request: FastifyRequest, { accountId, deliveryId }: Preview): void => {
    if (request.method !== 'GET' || open.size >= mostOpen) return
    const view = {
      accountId,
      deliveryId,
      network: shortNetworkOf(request.ip),
      browser: browserOf(request.headers['user-agent']),
    }
    const writing = views
      .insert(db, view)
      .catch((error: unknown) => log.warn({ deliveryId, name: (error as Error).name }, 'a view was not kept'))
      .finally(() => open.delete(writing))
    open.add(writing)
  }
}

import type { Budget, CallOptions } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { createClock, type Skew } from './clock.ts'
import { createCookieJar } from './cookie.ts'
import { readRetryAfter } from './failure.ts'
import { inSlot } from '../pace.ts'
import { buildUrl, maxUrlLength, type Query } from './query.ts'
import { createWire, type Exchange, type Reply } from './wire.ts'

export type Ask = {
  path: string
  query?: Query
  /**
   * sends this JSON; a POST is never repeated by itself. `ifMatch`: the bare etag that the resource must still have. `sending`: called in the slot, right
   * before the request goes out
   */
  send?: { method: 'POST' | 'PUT'; json: string; ifMatch?: string | null; sending?: () => Promise<void> }
  /** no password is sent (the classifier's probe) */
  anonymous?: boolean
  /** the reply must be XML and comes as text */
  xml?: boolean
  /** the root to ask instead of the connection's own */
  root?: string
  /** further tries after a transient failure; by default as many as there are back-offs, 0 for a POST */
  tries?: number
  /** part of a login check: a 401 or 403 is thrown as it is */
  login?: boolean
}

export type Received = Reply & {
  retryAfterMs: number | null
  /** the query went as POST with X-HTTP-Method-Override */
  long: boolean
  /** how long it took, without the wait for a slot */
  ms: number
}

/** What this server has been found to want. */
export type Habits = {
  /** the SData root; null until it is known */
  root: string | null
  /** whether it takes POST for a long GET */
  override: boolean | null
  rawApostrophe: boolean | null
}

export type Requester = {
  habits: Habits
  /** the CRM's clock minus ours, by the replies so far */
  skew(): Skew | null
  /** one request in a slot of the budget; the reply comes whatever its status */
  send(ask: Ask, options: CallOptions): Promise<Received>
  /** whether the query fits one request to this server */
  fits(ask: Ask): boolean
  /** whether requests carry a session's cookies */
  inSession(): boolean
  forgetSession(): void
  close(): Promise<void>
}

export type RequesterOptions = {
  username: string
  password: string
  timeoutMs: number
  checkHost: (hostname: string) => void
  budget: Budget
}

/** Thrown when a query is too long for a GET and this server refuses the POST instead: the caller splits its query. */
export class QueryTooLong extends FairleadError {
  constructor(cause?: unknown) {
    super('crmRefused', { detail: 'The query is longer than the CRM takes in one request.', cause })
  }
}

const commonHeaders = {
  'accept-encoding': 'gzip',
  'user-agent': 'Fairlead',
  'x-application-name': 'Fairlead',
  // keeps ASP.NET from answering 401 with a redirect to its login page
  'x-requested-with': 'XMLHttpRequest',
}

/** The root after a redirect from http to https, so that no password travels in the clear again; null where nothing changed. */
const upgradedRoot = (root: string, sent: string, answered: string): string | null => {
  if (!root.startsWith('http:') || !sent.startsWith(root) || !answered.startsWith('https:')) return null
  const tail = sent.slice(root.length).split('?')[0]!
  const path = answered.split('?')[0]!
  return path.endsWith(tail) ? path.slice(0, path.length - tail.length) : null
}

/** Requests of one Crm: URL, headers, cookies, credentials, slots. Neither X-Authorization nor its no-challenge mode is sent: 401 must stay 401. */
export const createRequester = ({ username, password, budget, ...options }: RequesterOptions): Requester => {
  const jar = createCookieJar()
  const authorization = `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`
  const habits: Habits = { root: null, override: null, rawApostrophe: null }

  const clock = createClock()
  const wire = createWire({
    ...options,
    cookie: (url) => jar.header(url.protocol === 'https:'),
    onReply(headers, sentAt) {
      jar.store(headers['set-cookie'])
      clock.note([headers['date']].flat()[0], sentAt, Date.now())
    },
  })

  const urlOf = (ask: Ask): string =>
    buildUrl(ask.root ?? habits.root ?? '', ask.path, ask.query, habits.rawApostrophe === true)

  const isLong = (ask: Ask, url: string): boolean => ask.send === undefined && url.length > maxUrlLength

  const toExchange = (ask: Ask, url: string): Exchange => {
    const accept = ask.xml ? 'application/xml, text/xml, */*' : 'application/json, */*;q=0.1'
    const headers = { ...commonHeaders, accept, ...(ask.anonymous ? {} : { authorization }) }
    if (ask.send) {
      const { method, json, ifMatch = null } = ask.send
      const more = {
        'content-type': 'application/json; charset=utf-8',
        ...(ifMatch === null ? {} : { 'if-match': ifMatch }),
      }
      return { url, method, headers: { ...headers, ...more }, body: json }
    }
    if (!isLong(ask, url)) return { url, method: 'GET', headers }
    const more = { 'x-http-method-override': 'GET', 'content-type': 'text/plain; charset=utf-8' }
    return { url: url.split('?')[0]!, method: 'POST', headers: { ...headers, ...more }, body: url }
  }

  return {
    habits,
    skew: () => clock.skew(),
    async send(ask, call) {
      const url = urlOf(ask)
      const long = isLong(ask, url)
      if (long && habits.override === false) throw new QueryTooLong()
      const received = await inSlot(budget, call, async (signal) => {
        await ask.send?.sending?.()
        const startedAt = performance.now()
        const reply = await wire.send({ ...toExchange(ask, url), signal })
        const ms = performance.now() - startedAt
        return { ...reply, long, ms, retryAfterMs: readRetryAfter(reply.headers['retry-after']) }
      })
      if (habits.root !== null) habits.root = upgradedRoot(habits.root, url, received.url) ?? habits.root
      return received
    },
    fits: (ask) => habits.override !== false || !isLong(ask, urlOf(ask)),
    inSession: () => jar.header(true) !== null,
    forgetSession: () => jar.clear(),
    close: () => wire.close(),
  }
}

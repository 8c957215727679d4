import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Strikes } from '../faults.ts'
import { incoming, parseAddress, type Address } from './address.ts'
import { readBody } from './body.ts'
import type { Desk } from './desk.ts'
import { credentialsIn } from './door.ts'
import { html, refusalAnswer, type Answer } from './refuse.ts'
import { isChange, visit } from './visit.ts'

const secretNames = /webpassword|webusername/i

/** A POST that stands for a GET carries the whole URL as text (sdata.md 2.5). */
const targetOf = (request: IncomingMessage, body: string): { method: string; url: string } => {
  const url = request.url ?? '/'
  const override = String(request.headers['x-http-method-override'] ?? '').toUpperCase()
  if (request.method !== 'POST' || override !== 'GET') return { method: request.method ?? 'GET', url }
  const text = body.trim()
  return { method: 'GET', url: text.replace(/^https?:\/\/[^/]+/i, '') || url }
}

const send = (desk: Desk, response: ServerResponse, answer: Answer, strikes: Strikes | undefined): number => {
  const { settings } = desk.world
  const bom = settings.bom && answer.body.length > 0 ? Buffer.from([0xef, 0xbb, 0xbf]) : Buffer.alloc(0)
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  const whole = bom.length > 0 ? Buffer.concat([bom, body]) : body
  const cut = strikes?.get('truncate')
  const sent = cut === undefined ? whole : whole.subarray(0, Math.floor(whole.length * (cut.share ?? 0.5)))
  const date = settings.clockOffsetMs === 0 ? {} : { Date: new Date(desk.world.now()).toUTCString() }
  response.writeHead(answer.status, {
    ...(answer.status === 304 ? {} : { 'Content-Type': answer.type, 'Content-Length': sent.length }),
    'X-Powered-By': 'ASP.NET',
    ...date,
    ...answer.headers,
  })
  response.end(answer.status === 304 ? undefined : sent)
  return sent.length
}

type Outcome = {
  address?: Address | undefined
  strikes?: Strikes | undefined
  answer: Answer | 'drop' | 'hang'
  items?: number | undefined
}

const strikesAt = (desk: Desk, method: string, address: Address): Strikes =>
  desk.faults.strike({ ...incoming(address, method), change: isChange(method, address) })

const receive = async (
  desk: Desk,
  request: IncomingMessage,
  sent: { method: string; url: string; body: string },
): Promise<Outcome> => {
  let address: Address | undefined
  try {
    address = parseAddress(sent.url, desk.basePath)
    if (address === undefined) return { answer: html(404, 'Not Found', 'There is nothing at this address.') }
    const strikes = strikesAt(desk, sent.method, address)
    if (strikes.get('drop')) return { address, answer: 'drop' }
    if (strikes.get('hang')) return { address, answer: 'hang' }
    const answer = await visit(desk, request, { ...sent, address, strikes })
    if (typeof answer === 'string') return { address, answer }
    const { items } = answer
    if (strikes.get('dropAfterWrite')) return { address, items, answer: 'drop' }
    return { address, strikes, items, answer: strikes.get('hangAfterWrite') ? 'hang' : answer }
  } catch (error) {
    return {
      address,
      answer: refusalAnswer(error, sent.url.toLowerCase().includes('format=json'), desk.world.settings, ''),
    }
  }
}

/** Takes a request that is not for the control address. */
export const serve = async (desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const started = performance.now()
  const { world, journal } = desk
  let under = true
  const leave = (): void => {
    if (under) journal.leave()
    under = false
  }
  journal.enter()
  response.on('close', leave)
  const body = await readBody(request)
  const { method, url } = targetOf(request, body)
  const { address, strikes, answer, items } = await receive(desk, request, { method, url, body })
  const unanswered = answer === 'drop' || answer === 'hang'
  const write = isChange(method, address)
  const ifMatch = request.headers['if-match']
  const secret =
    [...(address?.query.values() ?? [])].some((value) => secretNames.test(value)) || (write && secretNames.test(body))
  const line = {
    at: new Date(world.now()).toISOString(),
    method,
    path: address?.path ?? url,
    query: [...(address?.query.keys() ?? [])],
    status: unanswered ? 0 : answer.status,
    ms: Math.round(performance.now() - started),
    user: credentialsIn(request.headers)?.username ?? null,
    userAgent: request.headers['user-agent'] ?? null,
    ...(write ? { body } : {}),
    ...(write && ifMatch !== undefined ? { ifMatch } : {}),
    ...(items === undefined ? {} : { items }),
    ...(secret ? { secret: true as const } : {}),
  }
  journal.note(line, unanswered ? 0 : answer.body.length)
  if (answer === 'drop') request.socket.destroy()
  if (unanswered) return
  leave()
  send(desk, response, answer, strikes)
}

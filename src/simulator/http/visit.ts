import type { IncomingMessage } from 'node:http'
import { dynamic } from '../contracts/dynamic.ts'
import { metadata } from '../contracts/metadata.ts'
import { system } from '../contracts/system.ts'
import { Refusal, noHandler } from '../diagnosis.ts'
import type { Strikes } from '../faults.ts'
import { readArguments } from '../query/arguments.ts'
import type { World } from '../world.ts'
import type { Address } from './address.ts'
import { answerOf, wantsJson } from './answer.ts'
import { parseJson } from './body.ts'
import type { Call, Reply } from './call.ts'
import type { Desk } from './desk.ts'
import { enter } from './door.ts'
import { refusalAnswer, struckAnswer, type Answer } from './refuse.ts'

const wait = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

const contracts: Record<string, (world: World, call: Call) => Reply> = { dynamic, system, metadata }
const hostOf = (request: IncomingMessage, strikes: Strikes): string => {
  const foreign = strikes.get('foreignHost')
  return foreign === undefined ? String(request.headers.host) : (foreign.host ?? '10.40.201.25')
}

const isWrite = (method: string): boolean => ['POST', 'PUT', 'DELETE'].includes(method)

/** Whether a request can change the CRM. */
export const isChange = (method: string, address: Address | undefined): boolean =>
  isWrite(method) && address?.contract === 'dynamic' && !address.path.includes('$service')

const work = (desk: Desk, address: Address, call: Omit<Call, 'args' | 'segments' | 'contract'>): Reply => {
  const contract = contracts[address.contract]
  if (contract === undefined) throw noHandler(`slx/${address.contract}/-/`)
  const { settings } = desk.world
  if (settings.maxUrl > 0 && call.method === 'GET' && call.url.length > settings.maxUrl)
    throw new Refusal(414, 'BadUrlSyntax', 'The request URL is too long.')
  const read = readArguments(address.query)
  const args = { ...read, compact: read.compact && settings.mode !== '7.5.4' }
  return contract(desk.world, { ...call, args, segments: address.segments, contract: address.contract })
}

type Visit = { method: string; url: string; address: Address; body: string; strikes: Strikes }

/** Nobody is there any more to be told of a refusal. */
const attempt = (work: () => void): void => {
  try {
    work()
  } catch {}
}

/** Lets a request in, has it worked on, and gives what to answer. */
export const visit = async (
  desk: Desk,
  request: IncomingMessage,
  visitor: Visit,
): Promise<Answer | 'drop' | 'hang'> => {
  const { world, sessions } = desk
  const { method, url, address, body, strikes } = visitor
  const json = wantsJson(address.query.get('format'), request.headers, world.settings)
  const host = `http://${hostOf(request, strikes)}`
  const base = `${host}${desk.basePath}/slx/${address.contract}/-`
  try {
    const struck = struckAnswer(strikes, json, url)
    if (struck !== undefined) return struck
    const login = enter(world, request.headers, strikes)
    const ticket = sessions.enter(login.username, request.headers)
    try {
      const slow = strikes.get('slow')
      if (slow && slow.when !== 'after') await wait(slow.ms)
      const parsed = isWrite(method) && body !== '' ? parseJson(body) : undefined
      const ifMatch = request.headers['if-match']
      const perform = (): Reply => {
        const reply = work(desk, address, { method, login, strikes, body: parsed, ifMatch, base, url: host + url })
        desk.worked(address, method)
        return reply
      }
      const late = strikes.get('lateWrite')
      if (late) {
        desk.later.after(late.ms, () => attempt(perform))
        return late.answer === 'drop' ? 'drop' : 'hang'
      }
      const reply = perform()
      desk.journal.gauges.rows += reply.rows ?? 0
      if (reply.secret === true) desk.journal.gauges.secretReplies++
      if (slow?.when === 'after') await wait(slow.ms)
      const { latencyMs, batchItemMs } = world.settings
      const pause = latencyMs + batchItemMs * (reply.items ?? 0)
      if (pause > 0) await wait(pause)
      const answer: Answer = answerOf(reply, json, request.headers)
      if (reply.items !== undefined) answer.items = reply.items
      if (ticket.cookies.length > 0) answer.headers['Set-Cookie'] = ticket.cookies
      return answer
    } finally {
      ticket.leave()
    }
  } catch (error) {
    if (world.settings.latencyMs > 0) await wait(world.settings.latencyMs)
    return refusalAnswer(error, json, world.settings, base)
  }
}

import { Refusal } from '../diagnosis.ts'
import { decode, keyOf } from '../http/address.ts'
import type { Call, Reply } from '../http/call.ts'
import { diagnosisOf } from '../http/refuse.ts'
import type { Kind } from '../model.ts'
import type { World } from '../world.ts'
import { operate } from './operate.ts'
import { isPayload, keyIn, refuse } from './payload.ts'

type Item = Record<string, unknown>

const textIn = (item: Item, name: string): string | undefined => {
  const value = item[name]
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

const itemsIn = ({ body }: Call, most: number): unknown[] => {
  const items = isPayload(body) ? body['$resources'] : undefined
  if (!Array.isArray(items)) throw refuse('The batch has no $resources.')
  if (items.length > most) throw refuse(`A batch may have at most ${most} items, not ${items.length}.`)
  return items
}

const quoted = (key: string): string => `'${key.replaceAll("'", "''")}'`

/** The key of an item, from `$key` or else from `$url`, which may not lead to another kind. */
const selectorOf = (kind: Kind, item: Item): string => {
  const url = decode(textIn(item, '$url') ?? '')
  const [, name = '', selector = ''] = /\/([^/()]+)\(([^/]*)\)(?:\?.*)?$/.exec(url) ?? []
  if (name !== '' && name.toLowerCase() !== kind.name.toLowerCase())
    throw refuse(`A batch of ${kind.name} cannot hold an item of ${name}.`)
  const key = keyIn(item) ?? keyOf(selector)
  if (key === undefined) throw refuse('The item has neither $key nor $url.')
  return quoted(key)
}

const answerItem = (world: World, call: Call, kind: Kind, sent: unknown): string => {
  const item = isPayload(sent) ? sent : {}
  const method = (textIn(item, '$httpMethod') ?? '').toUpperCase()
  const key = keyIn(item)
  const marks = (status: number): string =>
    JSON.stringify({ $httpMethod: method, $httpStatus: status, ...(key !== undefined && { $key: key }) })
  try {
    if (!['GET', 'POST', 'PUT', 'DELETE'].includes(method)) throw refuse('The item has no valid $httpMethod.')
    const own = { ...call, method, body: item, ifMatch: textIn(item, '$ifMatch') }
    const { status, body } = operate(world, own, kind, method === 'POST' ? undefined : selectorOf(kind, item))
    if (body.length === 0) return marks(status)
    const entity = body.toString().replace(/^\{(?:"\$httpStatus":\d+,)?/, '')
    return `{"$httpMethod":"${method}","$httpStatus":${status},${entity}`
  } catch (error) {
    const { status, diagnosis } = diagnosisOf(error)
    return `${marks(status).slice(0, -1)},"$diagnoses":[${JSON.stringify(diagnosis)}]}`
  }
}

/** Items one after the other, each with its own outcome: what one of them does stays done (sdata.md 10.6). */
export const batch = (world: World, call: Call, kind: Kind): Reply => {
  if (call.method !== 'POST') throw new Refusal(405, 'ApplicationDiagnosis', 'A batch must be posted.')
  const items = itemsIn(call, world.settings.batchMax)
  const answers = items.map((item) => answerItem(world, call, kind, item))
  const head = `"$descriptor":"Sage SalesLogix | ${kind.name}","$url":${JSON.stringify(call.url)}`
  const body = `{${head},"$resources":[${answers.join(',')}]}`
  return { status: 200, body, payload: kind.entity, items: items.length }
}

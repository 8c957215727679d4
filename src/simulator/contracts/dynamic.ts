import { Refusal, noHandler } from '../diagnosis.ts'
import type { Call, Reply } from '../http/call.ts'
import { securedEntities } from '../logins.ts'
import type { Kind } from '../model.ts'
import type { World } from '../world.ts'
import { listFeed } from './documents.ts'
import { child, feed, guard, rowFor, single } from './entities.ts'
import { schemaOf } from './schema.ts'
import { serviceFeed, templateOf } from './template.ts'
import { create, remove, update } from './write.ts'

const kindFor = (world: World, call: Call, name: string): Kind => {
  const kind = world.kinds.get(name.toLowerCase())
  const disabled = call.strikes.get('disabledKind')?.name.toLowerCase() === name.toLowerCase()
  if (kind === undefined || !kind.feed || disabled) throw noHandler(`slx/dynamic/-/${name}`)
  return kind
}

const actions: Record<string, string> = { GET: 'View', POST: 'Add', PUT: 'Edit', DELETE: 'Delete' }

/** Rights hold in every version, though only 8.x names them. */
const checkRight = ({ login, method }: Call, { entity }: Kind): void => {
  const action = `Entities/${entity}/${actions[method]}`
  if (securedEntities.includes(entity) && !login.securedActions.includes(action))
    throw new Refusal(403, 'ApplicationDiagnosis', `You do not have the right ${action}.`)
}

const special = (world: World, call: Call, kind: Kind, name: string): Reply => {
  if (name === '$schema') return { status: 200, body: schemaOf(world, kind), type: 'application/xml' }
  if (name === '$template') return { status: 200, body: templateOf(world, kind, call), payload: kind.entity }
  if (name === '$service') return serviceFeed(call, kind)
  throw noHandler(`slx/dynamic/-/${kind.name}/${name}`)
}

const root = (world: World, call: Call): Reply => {
  const kinds = [...world.kinds.values()].filter((kind) => kind.feed)
  const rows = kinds.map((kind) => ({
    $key: kind.name,
    $descriptor: kind.name,
    $url: `${call.base}/${kind.name}`,
    name: kind.name,
  }))
  return listFeed(world, call, rows, { title: 'Sage SalesLogix | dynamic', path: '', entity: 'Resource' })
}

export const dynamic = (world: World, call: Call): Reply => {
  const [first, second, ...rest] = call.segments
  if (first === undefined) return root(world, call)
  const kind = kindFor(world, call, first.name)
  checkRight(call, kind)
  if (second?.name.startsWith('$') && first.selector === undefined)
    return special(
      world,
      call,
      kind,
      rest.length === 0 ? second.name.toLowerCase() : [second, ...rest].map(({ name }) => name).join('/'),
    )
  if (first.selector === undefined) {
    if (second !== undefined) throw noHandler(call.url)
    if (call.method === 'POST') return single(world, call, create(world, call, kind), 201)
    if (call.method !== 'GET')
      throw new Refusal(405, 'ApplicationDiagnosis', `${call.method} is not possible on a feed.`)
    return feed(world, call, kind)
  }
  const row = rowFor(world, call, kind, first.selector)
  if (second !== undefined)
    return child(
      world,
      call,
      row,
      [second, ...rest].map(({ name }) => name),
    )
  if (call.method === 'GET') return single(world, call, row)
  guard(call, [row])
  if (call.method === 'PUT') return single(world, call, update(world, call, row))
  if (call.method !== 'DELETE')
    throw new Refusal(405, 'ApplicationDiagnosis', `${call.method} is not possible on an entity.`)
  remove(world, row)
  return { status: 200, body: '' }
}

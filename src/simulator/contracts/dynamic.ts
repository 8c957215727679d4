import { noHandler } from '../diagnosis.ts'
import type { Call, Reply } from '../http/call.ts'
import type { Kind } from '../model.ts'
import type { World } from '../world.ts'
import { batch } from './batch.ts'
import { listFeed } from './documents.ts'
import { child, feed, rowFor } from './entities.ts'
import { checkRight, operate } from './operate.ts'
import { schemaOf } from './schema.ts'
import { serviceFeed, templateOf } from './template.ts'

const kindFor = (world: World, call: Call, name: string): Kind => {
  const kind = world.kinds.get(name.toLowerCase())
  const disabled = call.strikes.get('disabledKind')?.name.toLowerCase() === name.toLowerCase()
  if (kind === undefined || !kind.feed || disabled) throw noHandler(`slx/dynamic/-/${name}`)
  return kind
}

const special = (world: World, call: Call, kind: Kind, name: string): Reply => {
  if (name === '$batch' && world.settings.batch === 'on') return batch(world, call, kind)
  checkRight(call, kind)
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
  if (second?.name.startsWith('$') && first.selector === undefined)
    return special(
      world,
      call,
      kind,
      rest.length === 0 ? second.name.toLowerCase() : [second, ...rest].map(({ name }) => name).join('/'),
    )
  if (first.selector === undefined && second !== undefined) throw noHandler(call.url)
  if (first.selector === undefined && call.method === 'GET') {
    checkRight(call, kind)
    return feed(world, call, kind)
  }
  if (second === undefined) return operate(world, call, kind, first.selector)
  checkRight(call, kind)
  const names = [second, ...rest].map(({ name }) => name)
  return child(world, call, rowFor(world, call, kind, String(first.selector)), names)
}

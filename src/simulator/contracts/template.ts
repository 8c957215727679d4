import type { Call, Reply } from '../http/call.ts'
import type { Kind } from '../model.ts'
import { entryWriter } from '../answer.ts'
import { planOf } from '../query/plan.ts'
import type { World } from '../world.ts'
import { defaultsOf } from './defaults.ts'
import { writeFeed } from './feed.ts'

/** All writable properties with their defaults, without a key (sdata.md 9.4). */
export const templateOf = (world: World, kind: Kind, call: Call): string => {
  const plan = planOf(world, kind, {}, call.login)
  plan.scalars = plan.scalars.filter((property) => !property.readOnly)
  plan.lists = []
  const style = { base: call.base, compact: false }
  const text = entryWriter(world, plan, style, call.login)({ kind, ref: '', own: defaultsOf(world, kind, call.login) })
  const {
    $key: _key,
    $url: _url,
    $etag: _etag,
    $httpStatus: _status,
    ...rest
  } = JSON.parse(text) as Record<string, unknown>
  return JSON.stringify(rest)
}

const operations: Record<string, string[]> = {
  Lead: ['CanChangeOwner', 'ConvertLeadToContact', 'MergeLeadWithContact', 'SaveLead', 'ValidateLead'],
  Contact: ['CanChangeOwner', 'SaveContactAccount'],
  Account: ['CanChangeOwner'],
}

/** The operations by name; calling one is refused, as on a server that lacks it. */
export const serviceFeed = (call: Call, kind: Kind): Reply => {
  const names = operations[kind.entity] ?? []
  const entries = names.map((name) =>
    JSON.stringify({ $key: name, $descriptor: name, $url: `${call.base}/${kind.name}/$service/${name}` }),
  )
  return {
    status: 200,
    body: writeFeed(call, {
      title: `${kind.name} services`,
      path: kind.name,
      total: names.length,
      size: names.length,
      entries,
    }),
    payload: 'Service',
  }
}

import { entryWriter, etagOf, rowsOf, type Style } from '../answer.ts'
import { Refusal, noHandler, notFound } from '../diagnosis.ts'
import { keyOf } from '../http/address.ts'
import type { Call, Reply } from '../http/call.ts'
import { read, type Kind, type Row } from '../model.ts'
import type { Arguments } from '../query/arguments.ts'
import { find, type Query } from '../query/find.ts'
import { planOf, type Plan } from '../query/plan.ts'
import { related, relationNamed } from '../query/scope.ts'
import { findRow, idOf, rowOf } from '../store.ts'
import { parseWhere } from '../where/parser.ts'
import type { World } from '../world.ts'
import { pageSize, writeFeed } from './feed.ts'
import { Poisoned } from './poison.ts'

const styleOf = (call: Call): Style => ({
  base: call.base,
  compact: call.args.compact,
})

/** Owner security: rows of hidden owners do not exist for the user. */
const sightOf = (call: Call, kind: Kind): Query['sees'] => {
  const { hiddenOwners, username } = call.login
  const owner = relationNamed(kind, 'Owner')?.key
  if (hiddenOwners.length === 0 || owner === undefined) return undefined
  const hidden = new Set(hiddenOwners)
  return { name: username, test: (row) => !hidden.has(String(read(row, owner))) }
}

/** A read without `select` that carries what nobody asked for by name. */
const leaks = ({ method, args }: Call, plan: Plan): boolean =>
  method === 'GET' &&
  (args.select === undefined || args.select.some(([head]) => head === '*')) &&
  plan.scalars.some(({ secret }) => secret)

/** Faults that strike by id. */
export const guardIds = (call: Call, given: string[]): void => {
  const poison = call.strikes.get('poison')
  const forbidden = call.strikes.get('forbidden')
  const refused = call.method === 'GET' ? undefined : call.strikes.get('refused')
  if (poison === undefined && forbidden?.ids === undefined && refused === undefined) return
  const ids = new Set(given.map((id) => id.trim().toUpperCase()))
  if (poison?.ids.some((id) => ids.has(id.toUpperCase()))) throw new Poisoned()
  if (forbidden?.ids?.some((id) => ids.has(id.toUpperCase())))
    throw new Refusal(403, 'ApplicationDiagnosis', 'You do not have access to this record.')
  if (refused?.ids.some((id) => ids.has(id.toUpperCase())))
    throw new Refusal(400, 'ApplicationDiagnosis', refused.message ?? 'A validation rule refuses the change.')
}

/** A page that holds a poisoned row cannot be delivered, nor can the row alone. */
export const guard = (call: Call, rows: Row[]): void =>
  guardIds(
    call,
    rows.map((row) => idOf(row.kind.store, row.ref)),
  )

/** Which ids the fault `hiddenRows` takes out of this answer. */
const hiding = ({ args, strikes }: Call, kind: Kind): ((id: string) => boolean) | undefined => {
  const hidden = strikes.get('hiddenRows')
  const name = hidden?.property.toLowerCase()
  if (hidden === undefined || !['Lead', 'Contact'].includes(kind.entity)) return undefined
  if (!args.select?.some((path) => path.join('/').toLowerCase() === name)) return undefined
  const ids = new Set(hidden.ids.map((id) => id.toUpperCase()))
  return (id) => ids.has(id.toUpperCase())
}

export const feed = (world: World, call: Call, kind: Kind, where = call.args.where): Reply => {
  const { args, login, strikes } = call
  if (args.select !== undefined && kind.name === 'users' && world.settings.userSelectFails)
    throw new Refusal(
      500,
      'ApplicationDiagnosis',
      "We're sorry, you've encountered an error. If applicable, please try again.",
    )
  const size = pageSize(call, world.settings)
  const plan = planOf(world, kind, args, login)
  const found = find(world, kind, {
    where,
    order: args.order,
    skip: args.startIndex - 1,
    count: size,
    sees: sightOf(call, kind),
  })
  const every = strikes.get('lostRows')?.every
  const hides = hiding(call, kind)
  const kept = found.refs.filter(
    (ref, at) => !(every && args.startIndex > 1 && (at + 1) % every === 0) && !hides?.(idOf(kind.store, ref)),
  )
  const refs = strikes.get('wrongOrder') ? kept.toReversed() : kept
  const rows = refs.map((ref) => rowOf(kind, ref))
  guard(call, rows)
  const write = entryWriter(world, plan, styleOf(call), login)
  const body = writeFeed(call, {
    title: `Sage SalesLogix | ${kind.name}`,
    path: kind.name,
    total: found.total,
    size,
    entries: { length: rows.length, at: (n) => write(rows[n] as Row) },
  })
  return { status: 200, body, payload: kind.entity, rows: rows.length, secret: leaks(call, plan) }
}

/** What a change answers when its request does not say: the whole entity with its address. */
const argumentsOf = ({ method, args }: Call, kind: Kind): Arguments => {
  const asked = args.select !== undefined || args.include.length > 0 || args.precedence !== undefined
  if (method === 'GET' || asked || relationNamed(kind, 'Address') === undefined) return args
  return { ...args, include: [['Address']] }
}

export const single = (world: World, call: Call, row: Row, status = 200): Reply => {
  guard(call, [row])
  const plan = planOf(world, row.kind, argumentsOf(call, row.kind), call.login)
  const write = entryWriter(world, plan, styleOf(call), call.login)
  const id = idOf(row.kind.store, row.ref)
  return {
    status,
    body: write(row),
    etag: etagOf(row),
    payload: row.kind.entity,
    secret: leaks(call, plan),
    location: `${call.base}/${row.kind.name}('${id}')`,
  }
}

export const rowFor = (world: World, call: Call, kind: Kind, selector: string): Row => {
  const sees = sightOf(call, kind)
  const id = keyOf(selector)
  if (id === undefined) {
    const [ref] = find(world, kind, { where: parseWhere(selector), order: [], skip: 0, count: 1, sees }).refs
    if (ref === undefined) throw notFound(kind.entity, selector)
    return rowOf(kind, ref)
  }
  const row = findRow(kind, id)
  if (row === undefined || (sees && !sees.test(row))) throw notFound(kind.entity, id)
  return row
}

export const child = (world: World, call: Call, row: Row, names: string[]): Reply => {
  const [name = '', ...rest] = names
  const relation = relationNamed(row.kind, name)
  const collection = row.kind.collections.find((item) => item.name.toLowerCase() === name.toLowerCase())
  if (relation !== undefined) {
    const found = related(world, relation, row)
    if (found === undefined) throw notFound(relation.name, idOf(row.kind.store, row.ref))
    return rest.length === 0 ? single(world, call, found) : child(world, call, found, rest)
  }
  if (collection === undefined || rest.length > 0) throw noHandler(`slx/dynamic/-/${row.kind.name}/${name}`)
  const kind = world.kinds.get(collection.target.toLowerCase()) as Kind
  const rows = rowsOf(world, collection.target, collection.by, idOf(row.kind.store, row.ref))
  const size = pageSize(call, world.settings)
  const page = rows.slice(call.args.startIndex - 1, call.args.startIndex - 1 + size)
  const write = entryWriter(world, planOf(world, kind, call.args, call.login), styleOf(call), call.login)
  const body = writeFeed(call, {
    title: collection.name,
    path: kind.name,
    total: rows.length,
    size,
    entries: { length: page.length, at: (n) => write(page[n] as Row) },
  })
  return { status: 200, body, payload: kind.entity }
}

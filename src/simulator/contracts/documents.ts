import { Refusal } from '../diagnosis.ts'
import type { Call, Reply } from '../http/call.ts'
import type { Value } from '../model.ts'
import { fold } from '../store.ts'
import { compile, type Scope } from '../where/compile.ts'
import type { Expression } from '../where/parser.ts'
import type { World } from '../world.ts'
import { pageSize, unknownName, writeFeed } from './feed.ts'

/** A resource that is a plain object, as the system and metadata contracts give them. */
export type Document = { [name: string]: unknown }

export type Listing = {
  title: string
  path: string
  entity: string
  /** names must be written as they are (metadata) */
  exact?: boolean
  /** rows of a page when the request does not say */
  fallback?: number
  /** children that are links unless included or selected */
  children?: string[]
}

const nameIn = (document: Document, name: string, exact = false): string | undefined =>
  exact
    ? name in document
      ? name
      : undefined
    : Object.keys(document).find((key) => key.toLowerCase() === name.toLowerCase())

const scopeFor = (world: World, rows: Document[], listing: Listing): Scope<Document> => ({
  fold,
  now: () => world.now(),
  read(path) {
    const name = path.length === 1 && path[0]?.toLowerCase() === 'id' ? '$key' : String(path[0])
    const [sample] = rows
    if (sample && nameIn(sample, name, listing.exact) === undefined)
      throw unknownName(world.settings, name, listing.entity)
    return (row) => {
      const value = path
        .slice(1)
        .reduce<unknown>((at, key) => (at as Document | null)?.[key], row[nameIn(row, name, listing.exact) ?? ''])
      return (value ?? null) as Value
    }
  },
})

const pickPath = (from: Document, into: Document, [head = '', ...rest]: string[], exact: boolean): boolean => {
  const name = nameIn(from, head, exact)
  if (name === undefined) return false
  const value = from[name]
  const list = (value as { $resources?: Document[] } | null)?.$resources
  if (rest.length === 0) into[name] = value
  else if (list !== undefined) {
    const old = (into[name] as { $resources: Document[] } | undefined)?.$resources ?? list.map(({ $key }) => ({ $key }))
    into[name] = { $resources: old }
    list.forEach((item, at) => pickPath(item, old[at] as Document, rest, exact))
  } else if (value !== null && typeof value === 'object') {
    into[name] ??= {}
    return pickPath(value as Document, into[name] as Document, rest, exact)
  }
  return true
}

/** `select` and `include` on plain objects. */
export const shape = (world: World, call: Call, document: Document, listing: Listing): Document => {
  const { select, include } = call.args
  const exact = listing.exact === true
  const marks = Object.fromEntries(Object.entries(document).filter(([name]) => name.startsWith('$')))
  if (select === undefined || select.some(([head]) => head === '*')) {
    const wanted = new Set(include.map(([head]) => head?.toLowerCase()))
    const hidden = new Set((listing.children ?? []).filter((name) => !wanted.has(name.toLowerCase())))
    return Object.fromEntries(
      Object.entries(document).map(([name, value]) =>
        hidden.has(name) ? [name, { $url: `${String(document['$url'])}/${name}` }] : [name, value],
      ),
    )
  }
  const result: Document = marks
  for (const path of select) {
    if (path[0]?.startsWith('$') || path[0]?.toLowerCase() === 'id') continue
    if (!pickPath(document, result, path, exact)) throw unknownName(world.settings, path.join('/'), listing.entity)
  }
  return result
}

export const filterDocuments = (
  world: World,
  rows: Document[],
  where: Expression | undefined,
  listing: Listing,
): Document[] => {
  if (where === undefined) return rows
  const test = compile(where, scopeFor(world, rows, listing))
  return rows.filter((row) => test(row) === true)
}

export const listFeed = (world: World, call: Call, all: Document[], listing: Listing): Reply => {
  if (call.method !== 'GET') throw new Refusal(405, 'ApplicationDiagnosis', `${call.method} is not possible here.`)
  const { args } = call
  const rows = [...filterDocuments(world, all, args.where, listing)]
  const scope = scopeFor(world, all, listing)
  for (const { path, descending } of args.order.toReversed()) {
    const value = scope.read(path)
    const sign = descending ? -1 : 1
    rows.sort((a, b) => sign * String(value(a)).localeCompare(String(value(b))))
  }
  const size = pageSize(call, world.settings, listing.fallback)
  const page = rows.slice(args.startIndex - 1, args.startIndex - 1 + size)
  const entries = page.map((row) => JSON.stringify(shape(world, call, row, listing)))
  return {
    status: 200,
    body: writeFeed(call, { title: listing.title, path: listing.path, total: rows.length, size, entries }),
    payload: listing.entity,
  }
}

export const oneDocument = (world: World, call: Call, document: Document, listing: Listing): Reply => ({
  status: 200,
  body: JSON.stringify(shape(world, call, document, listing)),
  payload: listing.entity,
})

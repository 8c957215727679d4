import type { CallOptions, CrmEntity, CrmWarning, KeyRange } from '../../domain/crm.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { QueryTooLong } from '../http/request.ts'
import { controlRead } from './control.ts'
import { keyOf, mergeRow, type Feed, type Row } from './feed.ts'
import { halves } from './halves.ts'
import { confirmHalf, isAscending } from './order.ts'
import { and, inRange, type Query } from '../http/query.ts'
import { addWarning, askFeed, maySplit, type Session } from '../session.ts'
import { grow, shrink, sizeOf, type PageKind } from './size.ts'

export type KeyPage = {
  rows: Row[]
  /** the rows' keys, in the CRM's order */
  keys: string[]
  /** null when the range is read to its end */
  next: string | null
  /** how many the CRM says there are from the range's start on: a hint (6.3), null when it does not say */
  total: number | null
  warnings: CrmWarning[]
}

/** Thrown for an empty page although people follow: the CRM leaves them out of this read, and may deliver them to another one. */
export class LeftOut extends FairleadError {
  constructor() {
    super('crmPaging', { detail: 'The CRM answers with an empty page although people follow.' })
  }
}

export type PageRequest = {
  entity: CrmEntity
  /** names on the wire besides Id */
  select: string[]
  range: KeyRange
  /** a further condition, the same for the whole range */
  filter?: string | undefined
  kind: PageKind
  options: CallOptions
  /** exactly so many rows, without quick retries: for the search after a bad record */
  count?: number
}

/** What decides which rows are asked for. */
export type Scope = Pick<PageRequest, 'entity' | 'range' | 'filter'>

export const whereOf = ({ range, filter }: Pick<Scope, 'range' | 'filter'>): string | undefined =>
  and(inRange(range) ?? null, filter ?? null)

const pageQuery = (select: string[], scope: Pick<Scope, 'range' | 'filter'>, count: number): Query => ({
  select: ['Id', ...select.filter((name) => name !== 'Id')],
  where: whereOf(scope),
  orderBy: 'Id',
  count,
})

/** False when a page with so many properties and conditions cannot be asked for in one request. */
export const fitsPage = (session: Session, scope: Scope, select: string[]): boolean =>
  session.client.fits(session.path(scope.entity), pageQuery(select, scope, 1000))

const askPage = async (session: Session, request: PageRequest): Promise<Feed & { asked: number }> => {
  const { entity, kind, select, options, count } = request
  if (count !== undefined) {
    const feed = await askFeed(session, session.path(entity), pageQuery(select, request, count), options, 0)
    return { ...feed, asked: count }
  }
  const size = sizeOf(session.memory, entity, kind)
  for (;;) {
    const asked = size.ask
    try {
      const feed = await askFeed(session, session.path(entity), pageQuery(select, request, asked), options)
      grow(size, kind, asked, feed.rows.length)
      return { ...feed, asked }
    } catch (error) {
      if (!shrink(size, error)) throw error
      // a dead server is not asked for ever smaller pages
      if (maySplit(error)) await controlRead(session, request, error, options)
    }
  }
}

/** The rows that lie in the range, each once, in the CRM's order. Throws crmPaging when the page does not advance or cannot be trusted. */
const choose = async (session: Session, request: PageRequest, rows: Row[]): Promise<Map<string, Row>> => {
  const { after, upTo } = request.range
  const byKey = new Map<string, Row>()
  for (const row of rows) if (!byKey.has(keyOf(row))) byKey.set(keyOf(row), row)
  const all = [...byKey.keys()]
  let keys: string[]
  if (isAscending(all)) {
    const stop = upTo === null ? -1 : all.indexOf(upTo)
    keys = all.slice(after === null ? 0 : all.indexOf(after) + 1, stop === -1 ? undefined : stop + 1)
  } else {
    keys = await confirmHalf(
      all.filter((key) => key !== after),
      async (middle) => {
        const query = pageQuery([], { ...request, range: { after, upTo: middle } }, all.length)
        return (await askFeed(session, session.path(request.entity), query, request.options)).rows.map(keyOf)
      },
    )
  }
  if (rows.length > 0 && keys.length === 0)
    throw new FairleadError('crmPaging', {
      detail: 'The CRM answers with the same page again instead of the next one.',
    })
  return new Map(keys.map((key) => [key, byKey.get(key)!]))
}

const noteShort = (session: Session, request: PageRequest, feed: Feed & { asked: number }, page: KeyPage): void => {
  const { memory } = session
  const { entity, kind, range, filter } = request
  const name = `${entity}.${kind}.${filter === undefined ? '' : 'some.'}`
  if (range.after !== null && memory.shortEnds.delete(name + range.after) && page.keys.length > 0)
    addWarning(page.warnings, { code: 'shortPages', count: 1 })
  const usual = Math.min(feed.asked, feed.itemsPerPage ?? feed.asked, sizeOf(memory, entity, kind).most)
  if (page.next === null || feed.rows.length >= usual || request.count !== undefined) return
  if (memory.shortEnds.size > 1000) memory.shortEnds.clear()
  memory.shortEnds.add(name + page.next)
}

/** An empty page although there should be rows: the range is read to its end only if it has no last row either. Else throws LeftOut. */
const proveEnd = async (session: Session, request: PageRequest): Promise<void> => {
  const query = { select: ['Id'], where: whereOf(request), orderBy: 'Id desc', count: 1 }
  const { rows } = await askFeed(session, session.path(request.entity), query, request.options)
  if (rows.length > 0) throw new LeftOut()
}

const readOnce = async (session: Session, request: PageRequest): Promise<KeyPage> => {
  let feed = await askPage(session, request)
  const warnings: CrmWarning[] = []
  if (feed.rows.length === 0 && ((feed.total ?? 0) > 0 || feed.more)) {
    // nothing came although there should be something: asked once more before it is believed
    feed = await askPage(session, request)
    if (feed.rows.length === 0) {
      await proveEnd(session, request)
      addWarning(warnings, { code: 'wrongTotal', count: 1 })
    }
  }
  if (feed.total !== null && feed.total < feed.rows.length) addWarning(warnings, { code: 'wrongTotal', count: 1 })
  const byKey = await choose(session, request, feed.rows)
  const keys = [...byKey.keys()]
  const last = keys.at(-1) ?? null
  const next = last === request.range.upTo ? null : last
  const page: KeyPage = { rows: [...byKey.values()], keys, next, total: feed.total, warnings }
  noteShort(session, request, feed, page)
  return page
}

/** A page that makes no sense is asked for once more before crmPaging is thrown. */
const readTrusted = async (session: Session, request: PageRequest): Promise<KeyPage> => {
  try {
    return await readOnce(session, request)
  } catch (error) {
    if (!isFairleadError(error) || error.code !== 'crmPaging') throw error
    return readOnce(session, request)
  }
}

/** Further properties of the rows of a page, where one URL cannot name them all. */
const readRest = async (session: Session, request: PageRequest, page: KeyPage, select: string[]): Promise<void> => {
  const byKey = new Map(page.keys.map((key, at) => [key, page.rows[at]!]))
  const upTo = page.keys.at(-1) ?? null
  for (let after = request.range.after; after !== upTo;) {
    const part = await readKeyPage(session, { ...request, select, range: { after, upTo } })
    part.keys.forEach((key, at) => mergeRow(byKey.get(key), part.rows[at]!))
    if (part.next === null) return
    after = part.next
  }
}

/** One page in key order (keyset: `Id gt …`, never an offset). The end is an empty page or the row `upTo`, never a short page (6.2, 6.4). */
export const readKeyPage = async (session: Session, request: PageRequest): Promise<KeyPage> => {
  const { range, select } = request
  if (range.upTo !== null && range.after === range.upTo)
    return { rows: [], keys: [], next: null, total: 0, warnings: [] }
  try {
    if (!fitsPage(session, request, select)) throw new QueryTooLong()
    return await readTrusted(session, request)
  } catch (error) {
    if (!(error instanceof QueryTooLong) || select.length < 2) throw error
    const [first, rest] = halves(select)
    const page = await readKeyPage(session, { ...request, select: first })
    await readRest(session, request, page, rest)
    return page
  }
}

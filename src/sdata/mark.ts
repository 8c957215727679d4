import type { CallOptions, CrmEntity, ReadOptions } from '../domain/crm.ts'
import { changedFilter, isRefused, knowsAddressChanges } from './paging/changed.ts'
import { isRow, keyOf, member, readFeed, type Feed } from './paging/feed.ts'
import { controlRead } from './paging/control.ts'
import { instantLiteral, type Query } from './http/query.ts'
import { askFeed, maySplit, type Session } from './session.ts'
import { readInstant } from './values/time.ts'

const dayMs = 86_400_000

/** `total` of the port: `count=0`, else one row; null when the CRM does not say. */
export const readTotal = async (
  session: Session,
  entity: CrmEntity,
  { changed, ...options }: ReadOptions,
): Promise<number | null> => {
  await session.ready(options)
  const path = session.path(entity)
  const where = changed && (await changedFilter(session, entity, changed, options))
  if (where === null) return null
  try {
    const { json } = await session.client.ask({ path, query: { count: 0, select: ['Id'], where } }, options)
    const { total, rows } = readFeed(json, false)
    // a server that ignores count=0 or answers it with nothing known says 0 although it has rows
    if (total !== null && (total > 0 || rows.length === 0))
      return total > 0 ? total : await countOne(session, path, where, options)
  } catch (error) {
    if (!isRefused(error)) throw error
  }
  return countOne(session, path, where, options)
}

const countOne = async (
  session: Session,
  path: string,
  where: string | undefined,
  options: CallOptions,
): Promise<number | null> => {
  const { total, rows } = await askFeed(session, path, { count: 1, select: ['Id'], where }, options)
  return total === null || total < rows.length ? null : total
}

const changeOf = (feed: Feed): string | null => {
  const [row] = feed.rows
  return (row && readInstant(member(row, 'ModifyDate'))) ?? null
}

/** Returns when `error` is the question's or one record's, so that another question may be answered; throws it when the CRM itself is away. */
const proveAnswers = async (
  session: Session,
  entity: CrmEntity,
  error: unknown,
  options: CallOptions,
): Promise<void> => {
  if (maySplit(error)) await controlRead(session, { entity }, error, options)
  else if (!isRefused(error)) throw error
}

/** The latest change of a primary address, null where the CRM does not tell: a mark that is too early costs reading, nothing else. */
const latestOfAddresses = async (
  session: Session,
  entity: CrmEntity,
  boundMs: number,
  options: CallOptions,
): Promise<string | null> => {
  if (!(await knowsAddressChanges(session, entity, options))) return null
  const where = `Address.ModifyDate le ${instantLiteral(boundMs)}`
  const query = { select: ['Id', 'Address/ModifyDate'], where, orderBy: 'Address.ModifyDate desc', count: 1 }
  try {
    const [row] = (await askFeed(session, session.path(entity), query, options)).rows
    const address = row && member(row, 'Address')
    return (isRow(address) && readInstant(member(address, 'ModifyDate'))) || null
  } catch (error) {
    await proveAnswers(session, entity, error, options)
    return null
  }
}

const later = (a: string | null, b: string | null): string | null =>
  a === null || b === null ? (a ?? b) : Date.parse(a) >= Date.parse(b) ? a : b

/**
 * `latestChange` of the port (R14). The bound is the CRM's own clock plus a day, so that one date in the far future does not fix the mark; and the
 * mark is never later than that clock, which is known from whole seconds, so that a date of tomorrow does not hide what changes today.
 */
export const readLatestChange = async (
  session: Session,
  entity: CrmEntity,
  { addresses = false, ...options }: CallOptions & { addresses?: boolean },
): Promise<string | null> => {
  await session.ready(options)
  if (session.client.skew() === null) await controlRead(session, { entity }, null, options)
  const theirNow = (): number => Date.now() + (session.client.skew()?.least ?? 0)
  const boundMs = theirNow() + dayMs
  const [own, home] = await Promise.all([
    latestOfPeople(session, entity, boundMs, options),
    addresses ? latestOfAddresses(session, entity, boundMs, options) : null,
  ])
  const latest = later(own, home)
  return latest === null ? null : new Date(Math.min(Date.parse(latest), theirNow() + 2000)).toISOString()
}

/**
 * Places below the newest where a date is looked for: the first ones each, then further and further apart, so that a hundred who do not come cost
 * hardly more requests than ten. What is stepped over only makes the mark earlier, which costs reading, nothing else.
 */
const places = [...Array.from({ length: 10 }, (_, at) => at + 1), 20, 40, 80, 160, 320, 640, 1280, 2560]

/** The first believable date from the top that comes; null where none does, and the old mark stays. */
const walkDown = async (
  session: Session,
  entity: CrmEntity,
  newest: Query,
  boundMs: number,
  options: CallOptions,
): Promise<string | null> => {
  for (const startIndex of places) {
    try {
      // whoever does not come at once is stepped over: the next one is nearly as good
      const feed = await askFeed(session, session.path(entity), { ...newest, startIndex }, options, 0)
      if (feed.rows.length === 0) return null
      const change = changeOf(feed)
      if (change !== null && Date.parse(change) <= boundMs) return change
    } catch (error) {
      if (!maySplit(error)) throw error
      await controlRead(session, { entity }, error, options)
    }
  }
  return null
}

const latestOfPeople = async (
  session: Session,
  entity: CrmEntity,
  boundMs: number,
  options: CallOptions,
): Promise<string | null> => {
  const newest: Query = { select: ['Id', 'ModifyDate'], orderBy: 'ModifyDate desc', count: 1 }
  const bounded: Query = { ...newest, where: `ModifyDate le ${instantLiteral(boundMs)}` }
  try {
    return changeOf(await askFeed(session, session.path(entity), bounded, options))
  } catch (error) {
    await proveAnswers(session, entity, error, options)
    // the newest cannot be delivered (R22), or there is no filter on dates: then those of the far future stand above the others
    return walkDown(session, entity, maySplit(error) ? bounded : newest, boundMs, options)
  }
}

/** `keyAt` of the port. Offsets are for quantiles only: where the server fails on a far one (6.4) the answer is null, as beyond the end. */
export const readKeyAt = async (
  session: Session,
  entity: CrmEntity,
  offset: number,
  { changed, ...options }: ReadOptions,
): Promise<string | null> => {
  await session.ready(options)
  const where = changed && (await changedFilter(session, entity, changed, options))
  if (where === null) return null
  const query = { select: ['Id'], where, orderBy: 'Id', startIndex: offset + 1, count: 1 }
  try {
    const [row] = (await askFeed(session, session.path(entity), query, options)).rows
    return row ? keyOf(row) : null
  } catch (error) {
    if (!maySplit(error)) throw error
    await controlRead(session, { entity, filter: where }, error, options)
    return null
  }
}

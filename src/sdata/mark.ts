import type { CallOptions, CrmEntity } from '../domain/crm.ts'
import { isFairleadError } from '../domain/errors.ts'
import { keyOf, member, readFeed, type Feed } from './paging/feed.ts'
import { controlRead } from './paging/control.ts'
import { instantLiteral, type Query } from './http/query.ts'
import { askFeed, maySplit, type Session } from './session.ts'
import { readInstant } from './values/time.ts'

const dayMs = 86_400_000

const isRefused = (error: unknown): boolean =>
  isFairleadError(error) && ['crmRefused', 'crmFailed', 'crmAnswer', 'noRight'].includes(error.code)

/** `total` of the port: `count=0`, else one row; null when the CRM does not say. */
export const readTotal = async (session: Session, entity: CrmEntity, options: CallOptions): Promise<number | null> => {
  await session.ready(options)
  const path = session.path(entity)
  try {
    const { json } = await session.client.ask({ path, query: { count: 0, select: ['Id'] } }, options)
    const { total, rows } = readFeed(json, false)
    // a server that ignores count=0 or answers it with nothing known says 0 although it has rows
    if (total !== null && (total > 0 || rows.length === 0))
      return total > 0 ? total : await countOne(session, path, options)
  } catch (error) {
    if (!isRefused(error)) throw error
  }
  return countOne(session, path, options)
}

const countOne = async (session: Session, path: string, options: CallOptions): Promise<number | null> => {
  const { total, rows } = await askFeed(session, path, { count: 1, select: ['Id'] }, options)
  return total === null || total < rows.length ? null : total
}

const changeOf = (feed: Feed): string | null => {
  const [row] = feed.rows
  return (row && readInstant(member(row, 'ModifyDate'))) ?? null
}

/** `latestChange` of the port (R14). The bound is the reply's own Date plus a day, so that one date in the far future does not fix the mark. */
export const readLatestChange = async (
  session: Session,
  entity: CrmEntity,
  options: CallOptions,
): Promise<string | null> => {
  await session.ready(options)
  const path = session.path(entity)
  const newest: Query = { select: ['Id', 'ModifyDate'], orderBy: 'ModifyDate desc', count: 1 }
  if (session.client.habits.skewMs === null) await controlRead(session, entity, null, options)
  const boundMs = Date.now() + (session.client.habits.skewMs ?? 0) + dayMs
  try {
    return changeOf(
      await askFeed(session, path, { ...newest, where: `ModifyDate le ${instantLiteral(boundMs)}` }, options),
    )
  } catch (error) {
    if (!isRefused(error)) throw error
    // no filter on dates: walk down from the newest until a value is believable
    for (let startIndex = 1; startIndex <= 50; startIndex += 1) {
      const feed = await askFeed(session, path, { ...newest, startIndex }, options)
      if (feed.rows.length === 0) return null
      const change = changeOf(feed)
      if (change !== null && Date.parse(change) <= boundMs) return change
    }
    throw error
  }
}

/** `keyAt` of the port. Offsets are for quantiles only: where the server fails on a far one (6.4) the answer is null, as beyond the end. */
export const readKeyAt = async (
  session: Session,
  entity: CrmEntity,
  offset: number,
  options: CallOptions,
): Promise<string | null> => {
  await session.ready(options)
  const query = { select: ['Id'], orderBy: 'Id', startIndex: offset + 1, count: 1 }
  try {
    const [row] = (await askFeed(session, session.path(entity), query, options)).rows
    return row ? keyOf(row) : null
  } catch (error) {
    if (!maySplit(error)) throw error
    await controlRead(session, entity, error, options)
    return null
  }
}

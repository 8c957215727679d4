import type { CallOptions, CrmEntity, CrmField } from '../../domain/crm.ts'
import type { CrmSaid, FairleadError } from '../../domain/errors.ts'
import { QueryTooLong } from '../http/request.ts'
import { controlRead, insist } from './control.ts'
import { keyOf, mergeRow, type Row } from './feed.ts'
import { halves } from './halves.ts'
import { isOneOf, type Query } from '../http/query.ts'
import { sizeOf } from './size.ts'
import { askFeed, maySplit, setMissing, type Session } from '../session.ts'

export type ById = {
  rows: Map<string, Row>
  unreadable: { id: string; crm: CrmSaid }[]
}

/** `tries` 0: part of a group that failed, so no quick retries */
type Group = { ids: string[]; tries?: number }

const maxGroup = 200
// so many failures without a single success are the server's, not people's
const hopeless = 10

const groupQuery = (select: string[], ids: string[]): Query => ({
  select: ['Id', ...select.filter((name) => name !== 'Id')],
  where: isOneOf('Id', ids),
  orderBy: 'Id',
  count: ids.length,
})

/** One request for a group; its select in several where one URL cannot name all. Throws QueryTooLong when the ids must become fewer. */
const readGroup = async (
  session: Session,
  entity: CrmEntity,
  select: string[],
  ids: string[],
  options: CallOptions,
  tries?: number,
): Promise<Row[]> => {
  const query = groupQuery(select, ids)
  const path = session.path(entity)
  try {
    if (!session.client.fits(path, query)) throw new QueryTooLong()
    const { rows } = await askFeed(session, path, query, options, tries)
    return rows
  } catch (error) {
    if (!(error instanceof QueryTooLong) || select.length < 2 || ids.length > 20) throw error
    const [first, rest] = halves(select)
    const rows = await readGroup(session, entity, first, ids, options, tries)
    const byKey = new Map(rows.map((row) => [keyOf(row), row]))
    for (const row of await readGroup(session, entity, rest, ids, options, tries)) mergeRow(byKey.get(keyOf(row)), row)
    return rows
  }
}

/** Fields that a row cannot be read with although it can be read without them. */
const badFields = async (works: (select: string[]) => Promise<boolean>, select: string[]): Promise<string[]> => {
  if (select.length === 0 || (await works(select))) return []
  if (select.length === 1) return select
  const [first, rest] = halves(select)
  return [...(await badFields(works, first)), ...(await badFields(works, rest))]
}

/** The key of somebody else than `ids`, to compare with; null where there is nobody who can be read. */
const anotherKey = async (
  session: Session,
  entity: CrmEntity,
  ids: string[],
  options: CallOptions,
): Promise<string | null> => {
  for (const orderBy of ['Id', 'Id desc']) {
    try {
      const { rows } = await askFeed(session, session.path(entity), { select: ['Id'], orderBy, count: 2 }, options, 0)
      const other = rows.map(keyOf).find((key) => !ids.includes(key))
      if (other !== undefined) return other
    } catch (error) {
      if (!maySplit(error)) throw error
    }
  }
  return null
}

/**
 * Before people are blamed: a select that no row was ever read with may itself be the culprit (a server that answers an unknown property with
 * a bare 500). If two different people cannot be read with it, the fields that do it are found and left out as missing (R24). Returns true when
 * the select has changed.
 */
const suspectFields = async (
  session: Session,
  entity: CrmEntity,
  select: string[],
  ids: string[],
  options: CallOptions,
): Promise<boolean> => {
  const signature = `${entity} ${select.join()}`
  if (session.memory.proven.has(signature) || select.length === 0) return false
  const works = async (id: string, names: string[]): Promise<boolean> => {
    try {
      await readGroup(session, entity, names, [id], options, 0)
      return true
    } catch (error) {
      if (maySplit(error)) return false
      throw error
    }
  }
  const [one, other = await anotherKey(session, entity, ids, options)] = [...new Set([ids[0]!, ids.at(-1)!])]
  if (one === undefined || other === null) return false
  if ((await works(one, select)) || (await works(other, select))) {
    session.memory.proven.add(signature)
    return false
  }
  const bad = await badFields((names) => works(one, names), select)
  const good = select.filter((name) => !bad.includes(name))
  if (bad.length === 0 || !(await works(other, good)) || !(await works(one, good))) return false
  for (const name of bad) if (await works(other, [name])) return false
  for (const name of bad) setMissing(session, entity, name)
  return true
}

/**
 * People by id, as raw rows: groups of at most 200, smaller where the URL demands it; ids that did not come are asked again until a reply has none of
 * them, so that a page limit of the server never looks like a deletion. A group that keeps failing is halved until the culprit is alone (R22).
 * Returns null when a field was found to be missing: the caller begins again with the fields that are left.
 */
export const readByIds = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  ids: string[],
  options: CallOptions,
): Promise<ById | null> => {
  const select = fields.map(({ name }) => name)
  const found: ById = { rows: new Map(), unreadable: [] }
  const unique = [...new Set(ids)]
  const size = Math.min(maxGroup, sizeOf(session.memory, entity, 'people').ask)
  // breadth first: by the time that single people are blamed, everybody else has been tried
  const groups: Group[] = []
  for (let at = 0; at < unique.length; at += size) groups.push({ ids: unique.slice(at, at + size) })
  let answered = false

  const read = async (wanted: string[], tries?: number): Promise<void> => {
    const rows = await readGroup(session, entity, select, wanted, options, tries)
    answered = true
    const asked = new Set(wanted)
    const fresh = rows.filter((row) => asked.has(keyOf(row)))
    for (const row of fresh) found.rows.set(keyOf(row), row)
    if (fresh.length > 0) session.memory.proven.add(`${entity} ${select.join()}`)
    const left = wanted.filter((id) => !found.rows.has(id))
    if (left.length > 0 && fresh.length > 0) groups.push({ ids: left })
  }

  const blame = async (id: string, error: FairleadError): Promise<void> => {
    if ((await insist(session, { entity }, error, options, async () => (await read([id]), true))) !== null) return
    found.unreadable.push({ id, crm: error.details.crm ?? {} })
    if (!answered && found.unreadable.length >= hopeless) throw error
  }

  for (let group = groups.shift(); group; group = groups.shift()) {
    const { ids: wanted, tries } = group
    try {
      await read(wanted, tries)
    } catch (error) {
      if (error instanceof QueryTooLong && wanted.length > 1) {
        groups.unshift(...halves(wanted).map((ids) => ({ ids })))
        continue
      }
      if (!maySplit(error)) throw error
      if (tries === undefined) {
        await controlRead(session, { entity }, error, options)
        if (await suspectFields(session, entity, select, wanted, options)) return null
      }
      if (wanted.length === 1) await blame(wanted[0]!, error)
      else groups.push(...halves(wanted).map((ids) => ({ ids, ...(ids.length === 1 ? {} : { tries: 0 }) })))
    }
  }
  return found
}

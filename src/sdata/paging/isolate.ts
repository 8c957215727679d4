import { isFairleadError, type CrmSaid } from '../../domain/errors.ts'
import { keyOf } from './feed.ts'
import { readKeyPage, whereOf, type KeyPage, type PageRequest } from './page.ts'
import { and, literal } from '../http/query.ts'
import { askFeed, maySplit, type Session } from '../session.ts'
import { sizeOf } from './size.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const neighbours = 5

/** What a request answers, or null when it fails as one bad record would make it fail. */
const orNull = async <Result>(read: () => Promise<Result>): Promise<Result | null> => {
  try {
    return await read()
  } catch (error) {
    if (maySplit(error)) return null
    throw error
  }
}

const ask = (session: Session, { entity, options }: PageRequest, where: string | undefined, startIndex = 1) =>
  orNull(async () => {
    const query = { select: ['Id'], where, orderBy: 'Id', startIndex, count: 1 }
    return (await askFeed(session, session.path(entity), query, options, 0)).rows.map(keyOf)
  })

/** The first key behind the culprit: offsets step over rows without reading them. */
const keyBehind = async (session: Session, request: PageRequest): Promise<string | null> => {
  for (let startIndex = 2; startIndex < 2 + neighbours; startIndex += 1) {
    const keys = await ask(session, request, whereOf(request), startIndex)
    if (keys) return keys[0] ?? null
  }
  return null
}

const sharedLength = (a: string, b: string): number => {
  let at = 0
  while (at < a.length && a[at] === b[at]) at += 1
  return at
}

/**
 * The id of the first row after `after`, which no request can read: asking for keys below a given one fails when the row is among them and is
 * empty when it is not, so its characters are found one by one. null when it cannot be pinned down.
 */
const findId = async (session: Session, request: PageRequest): Promise<string | null> => {
  const { range, filter } = request
  const from = whereOf({ range: { ...range, upTo: null }, filter }) ?? null
  const behind = (await keyBehind(session, request)) ?? range.upTo
  const length = (range.after ?? behind)?.length ?? 0
  const isBelow = async (bound: string): Promise<boolean> =>
    (await ask(session, request, and(from, `Id lt ${literal(bound)}`))) === null
  let id = range.after !== null && behind !== null ? behind.slice(0, sharedLength(range.after, behind)) : ''
  while (id.length < length) {
    let low = 0
    let high = alphabet.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (await isBelow(id + alphabet[middle])) high = middle
      else low = middle
    }
    id += alphabet[low]
  }
  return id !== '' && (await ask(session, request, and(`Id eq ${literal(id)}`, filter ?? null))) === null ? id : null
}

export type Isolated = { page: KeyPage; culprit: { id: string; crm: CrmSaid } | null }

/**
 * A page that fails because even the keys of one row cannot be read (R22): the rows before it are read, the row is named, and `next` leads past
 * it. About ten requests for the place and twenty for the name. Throws `cause` when there is neither a row to deliver nor one to blame.
 */
export const isolate = async (session: Session, request: PageRequest, cause: unknown): Promise<Isolated> => {
  let page: KeyPage | null = null
  let low = 0
  let high = sizeOf(session.memory, request.entity, request.kind).ask
  while (high - low > 1) {
    const count = (low + high) >> 1
    const part: KeyPage | null = await orNull(() => readKeyPage(session, { ...request, count }))
    if (part === null) high = count
    else {
      page = part
      low = count
      // fewer than asked for: the page ends before the culprit
      if (part.keys.length < count) return { page, culprit: null }
    }
  }
  const last = page?.keys.at(-1) ?? request.range.after
  const id = await findId(session, { ...request, range: { after: last, upTo: request.range.upTo } })
  const warnings = page?.warnings ?? []
  if (id === null) {
    if (page === null || page.keys.length === 0) throw cause
    return { page, culprit: null }
  }
  const next = id === request.range.upTo ? null : id
  const crm = isFairleadError(cause) ? (cause.details.crm ?? {}) : {}
  const [rows, keys] = [page?.rows ?? [], page?.keys ?? []]
  return { page: { rows, keys, next, total: null, warnings }, culprit: { id, crm } }
}

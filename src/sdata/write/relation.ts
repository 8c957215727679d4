import type { CallOptions } from '../../domain/crm.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { literal } from '../http/query.ts'
import { isRefused } from '../paging/changed.ts'
import { keyOf, member, type Row } from '../paging/feed.ts'
import { askFeed, type Session } from '../session.ts'

/** A relation that is written by key (10.1), and the property that people know its target by. */
export type Relation = { name: string; kind: string; by: string }

const relations: Relation[] = [
  { name: 'Owner', kind: 'owners', by: 'OwnerDescription' },
  { name: 'LeadSource', kind: 'leadSources', by: 'Description' },
  { name: 'AccountManager', kind: 'users', by: 'UserName' },
]

export const relationNamed = (name: string): Relation | undefined =>
  relations.find((relation) => relation.name.toLowerCase() === name.toLowerCase())

const looksLikeKey = /^[A-Za-z0-9]{1,12}$/
const fold = (text: unknown): string => String(text).trim().toLowerCase()

/** Some servers answer 500 to any select on users (3.8). */
const ask = async (session: Session, { kind, by }: Relation, where: string, options: CallOptions): Promise<Row[]> => {
  const path = `slx/dynamic/-/${kind}`
  const query = { where, orderBy: 'Id', count: 10 }
  const tries = kind === 'users' ? 0 : undefined
  try {
    return (await askFeed(session, path, { ...query, select: ['Id', by] }, options, tries)).rows
  } catch (error) {
    if (kind !== 'users' || !isRefused(error)) throw error
    return (await askFeed(session, path, query, options)).rows
  }
}

/** By its text in any case, on servers without functions as the database compares. */
const askByText = async (session: Session, relation: Relation, text: string, options: CallOptions): Promise<Row[]> => {
  try {
    return await ask(session, relation, `upper(${relation.by}) eq ${literal(text.toUpperCase())}`, options)
  } catch (error) {
    if (!isRefused(error)) throw error
    return ask(session, relation, `${relation.by} eq ${literal(text)}`, options)
  }
}

const search = async (session: Session, relation: Relation, text: string, options: CallOptions): Promise<string> => {
  const { name, by } = relation
  try {
    const rows = await askByText(session, relation, text, options)
    const named = rows.filter((row) => fold(member(row, by)) === fold(text))
    const found = named.find((row) => String(member(row, by)).trim() === text) ?? named[0]
    if (found) return keyOf(found)
    const [keyed] = looksLikeKey.test(text) ? await ask(session, relation, `Id eq ${literal(text)}`, options) : []
    if (keyed) return keyOf(keyed)
  } catch (error) {
    // a kind without a feed: a key is taken at its word
    const absent = isRefused(error) || (isFairleadError(error) && error.code === 'entityDisabled')
    if (!absent || text.length !== 12 || !looksLikeKey.test(text)) throw error
    return text
  }
  throw new FairleadError('crmRefused', {
    detail: `The CRM has no ${by === 'UserName' ? 'user' : by === 'Description' ? 'lead source' : 'owner'} of the given name or key.`,
    crm: { field: name },
  })
}

/** The key of an owner, user or lead source that is given by key or by its text; looked up once. Throws crmRefused when there is none. */
export const findKey = (session: Session, relation: Relation, text: string, options: CallOptions): Promise<string> =>
  session.memory.keys.get(`${relation.kind} ${text.trim()}`, () => search(session, relation, text.trim(), options))

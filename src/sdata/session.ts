import type { CallOptions, CrmEntity, CrmWarning } from '../domain/crm.ts'
import { isFairleadError, type ErrorCode, type FairleadError } from '../domain/errors.ts'
import { createCache, type Cache } from './cache.ts'
import type { Client } from './http/client.ts'
import type { EmailForm } from './match.ts'
import { readFeed, type Feed } from './paging/feed.ts'
import type { Query } from './http/query.ts'

/** What one Crm has learned about its server. */
export type Memory = {
  /** properties that the server no longer knows (R24), by entity, and until when that is believed */
  missing: Record<CrmEntity, Map<string, number>>
  /** rows to ask for, and the most that ever came, by entity and kind of page */
  sizes: Map<string, { ask: number; most: number }>
  /** last keys of pages that were shorter than the server's usual ones */
  shortEnds: Set<string>
  /** whether the history of leads is a feed of this server; undefined until it is asked */
  leadHistory?: boolean
  /** selects that at least one row was read with */
  proven: Set<string>
  /** field-level security, by entity */
  permissions: Cache<Map<string, 'NoAccess' | 'ReadOnly'>>
  /** whether conditions on the dates of addresses are understood, by entity */
  addressChanges: Cache<boolean>
  /** how people are asked for by address, by entity */
  emailForms: Cache<EmailForm>
  /** picklists by storage and name: stored code or id → text; null where the CRM fails to tell */
  picklists: Cache<Map<string, string> | null>
  /** keys of owners, users and lead sources, by kind and text */
  keys: Cache<string>
  writes: {
    /** false once the server has refused If-Match and taken the same change without */
    ifMatch: boolean
    /** whether `$batch` has been found to be faster; null before the trial */
    batch: boolean | null
    /** single changes so far, and how long the latest took, on average */
    singles: number
    singleMs: number
    /** when the server last took a change, by the monotonic clock */
    at: number
  }
}

export type Session = {
  client: Client
  memory: Memory
  /** the path of an entity's feed below the root */
  path(entity: CrmEntity): string
  /** resolves the address that was typed, once */
  ready(options: CallOptions): Promise<void>
}

const rememberMs = 10 * 60_000

export const createMemory = (): Memory => ({
  missing: { lead: new Map(), contact: new Map() },
  sizes: new Map(),
  shortEnds: new Set(),
  proven: new Set(),
  permissions: createCache(rememberMs),
  addressChanges: createCache(rememberMs),
  emailForms: createCache(6 * rememberMs),
  picklists: createCache(rememberMs),
  keys: createCache(rememberMs),
  writes: { ifMatch: true, batch: null, singles: 0, singleMs: 0, at: -Infinity },
})

/** One page of a feed. */
export const askFeed = async (
  { client }: Session,
  path: string,
  query: Query,
  options: CallOptions,
  tries?: number,
): Promise<Feed> => {
  const ask = { path, query, ...(tries === undefined ? {} : { tries }) }
  return readFeed((await client.ask(ask, options)).json)
}

const oneRecords = new Set<ErrorCode>(['crmFailed', 'crmAnswer', 'crmTimeout', 'crmUnreachable', 'noRight'])

/** True for failures that one record can cause (R22): the server's own errors, answers that make no sense, time-outs, dropped sockets, a missing right. */
export const maySplit = (error: unknown): error is FairleadError => isFairleadError(error) && oneRecords.has(error.code)

const matchesProperty = (field: string, unknown: { name: string; owner: string }): number => {
  const path = field.toLowerCase()
  const name = unknown.name.replaceAll('.', '/').toLowerCase()
  if (path !== name && !path.endsWith(`/${name}`)) return 0
  const nested = path.includes('/')
  const parent = path.split('/')[0]!
  const ofParent = unknown.owner.toLowerCase().endsWith(parent)
  return path === name && nested === ofParent ? 3 : nested === ofParent ? 2 : 1
}

/** The chosen field that "could not resolve property: X of: Entity" is about; null when it is none of them. */
export const findUnknown = (
  fields: { name: string }[],
  crm: { message?: string; field?: string } | undefined,
): string | null => {
  const owner = /\bof:?\s*([\w.]+)/i.exec(crm?.message ?? '')?.[1] ?? ''
  const unknown = { name: crm?.field ?? '', owner }
  const ranked = fields
    .map(({ name }) => ({ name, rank: matchesProperty(name, unknown) }))
    .filter(({ rank }) => rank > 0)
    .sort((a, b) => b.rank - a.rank)
  return ranked[0]?.name ?? null
}

export const setMissing = ({ memory }: Session, entity: CrmEntity, name: string): void => {
  memory.missing[entity].set(name, Date.now() + rememberMs)
}

/** Runs `read` with the fields that the server knows; a property that it turns out not to know is left out from then on (R24). */
export const withKnownFields = async <Field extends { name: string }, Result>(
  session: Session,
  entity: CrmEntity,
  fields: Field[],
  read: (known: Field[]) => Promise<Result>,
): Promise<Result> => {
  for (;;) {
    const missing = session.memory.missing[entity]
    const known = fields.filter(({ name }) => (missing.get(name) ?? 0) < Date.now())
    try {
      return await read(known)
    } catch (error) {
      const name =
        isFairleadError(error) && error.code === 'unknownProperty' ? findUnknown(known, error.details.crm) : null
      if (name === null) throw error
      setMissing(session, entity, name)
    }
  }
}

export const addWarning = (warnings: CrmWarning[], warning: CrmWarning): void => {
  const same = warnings.find(({ code, field }) => code === warning.code && field === warning.field)
  if (same) same.count += warning.count
  else warnings.push(warning)
}

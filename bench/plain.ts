import { createHmac } from 'node:crypto'
import postgres from 'postgres'
import { Pool } from 'undici'

/**
 * The loop that a good engineer would write for this one task, without Fairlead and without any of its code: N key ranges in parallel, each
 * page by keyset, one text parameter a column, one statement a page. No ledger, no cursor, no retry, no budget, no proof of completeness.
 */
export type PlainOptions = {
  /** the bare address of the CRM */
  url: string
  username: string
  password: string
  fields: string[]
  pageSize: number
  lanes: number
  /** the next page is fetched while this one is stored */
  prefetch: boolean
  signal: AbortSignal
}

type Person = { $key: string; [name: string]: unknown }
type Feed = { $resources: Person[]; $totalResults: number }
type Range = { after: string | null; upTo: string | null }

const listId = '00000000-0000-7000-8000-000000000001'
const hashKey = 'plain'

/** A table of the shape and with the indexes of Fairlead's records. */
const table = `
  drop table if exists people;
  create table people (
    id uuid primary key default uuidv7(), account_id uuid not null, list_id uuid not null, crm_entity text, crm_id text, email_key bytea,
    fields jsonb not null, agreed jsonb not null default '{}', version integer not null default 1, created_run_id uuid,
    updated_at timestamptz(3), removed_at timestamptz(3));
  create unique index on people (list_id, crm_id, crm_entity);
  create index on people (list_id, id);
  create index on people (email_key);`

const msDate = /^\/Date\((-?\d+)\)\/$/

const valueOf = (value: unknown): unknown => {
  if (typeof value !== 'string' || !value.startsWith('/Date(')) return value
  const ms = msDate.exec(value)?.[1]
  return ms === undefined ? value : new Date(Number(ms)).toISOString()
}

/** Postgres stores neither NUL nor half a surrogate pair; JSON.stringify writes both as escapes. */
const storable = (json: string): string =>
  /\\u(?:0000|d[89a-f])/.test(json)
    ? json.replace(/(?<!\\)\\u0000/g, '').replace(/(?<!\\)\\ud[89a-f][0-9a-f]{2}/g, '\\ufffd')
    : json

const emailKeyOf = (email: unknown): string =>
  typeof email === 'string' && email.trim() !== ''
    ? createHmac('sha256', hashKey).update(email.trim().toLowerCase()).digest('hex').slice(0, 32)
    : ''

/** A database of its own beside Fairlead's. */
export const openPlainDatabase = async (databaseUrl: string): Promise<postgres.Sql> => {
  const admin = postgres(databaseUrl, { max: 1, onnotice: () => undefined })
  await admin`drop database if exists plain with (force)`
  await admin`create database plain`
  await admin.end()
  return postgres(Object.assign(new URL(databaseUrl), { pathname: '/plain' }).href, {
    max: 8,
    onnotice: () => undefined,
  })
}

export const clearPlain = async (sql: postgres.Sql): Promise<void> => {
  await sql.unsafe(table)
  await sql`checkpoint`
}

/** Reads everything into the empty table; answers how many rows it stored. */
export const runPlain = async (sql: postgres.Sql, options: PlainOptions): Promise<number> => {
  const { url, username, password, fields, pageSize, lanes, prefetch, signal } = options
  const pool = new Pool(url, { connections: lanes })
  const headers = {
    accept: 'application/json',
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
  }
  const paths = fields.map((name) => ({ name, path: name.split('/') }))

  const get = async (query: Record<string, string | number>): Promise<Feed> => {
    const search = Object.entries({ ...query, orderby: 'Id', format: 'json' })
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join('&')
    const reply = await pool.request({ path: `/sdata/slx/dynamic/-/leads?${search}`, method: 'GET', headers, signal })
    if (reply.statusCode !== 200) throw new Error(`the CRM answers ${reply.statusCode}`)
    return JSON.parse(await reply.body.text()) as Feed
  }

  const fetchPage = ({ after, upTo }: Range): Promise<Feed> => {
    const bounds = [after === null ? [] : [`Id gt '${after}'`], upTo === null ? [] : [`Id le '${upTo}'`]].flat()
    const query = { select: ['Id', ...fields].join(), count: pageSize }
    return get(bounds.length > 0 ? { ...query, where: bounds.join(' and ') } : query)
  }

  const keyAt = async (offset: number): Promise<string> =>
    (await get({ select: 'Id', startIndex: offset + 1, count: 1 })).$resources[0]!.$key

  const encode = (person: Person): string => {
    const values: Record<string, unknown> = {}
    for (const { name, path } of paths) {
      const [head = '', tail] = path
      const found = person[head]
      values[name] = tail === undefined ? valueOf(found) : ((found as Record<string, unknown> | null)?.[tail] ?? null)
    }
    return JSON.stringify(values)
  }

  const store = async (people: Person[]): Promise<number> => {
    const ids = people.map((person) => person.$key).join('\n')
    const emails = people.map((person) => emailKeyOf(person['Email'])).join('\n')
    const json = storable(people.map(encode).join('\n'))
    const stored = await sql`
      insert into people (account_id, list_id, crm_entity, crm_id, email_key, fields)
      select ${listId}::uuid, ${listId}::uuid, 'lead', r.id, decode(nullif(r.email, ''), 'hex'), r.fields::jsonb
      from unnest(string_to_array(${ids}::text, E'\n'), string_to_array(${emails}::text, E'\n'), string_to_array(${json}::text, E'\n'))
        as r (id, email, fields)
      on conflict do nothing`
    return stored.count
  }

  const readLane = async (range: Range): Promise<number> => {
    let rows = 0
    for (let pending: Promise<Feed> | null = fetchPage(range); pending !== null;) {
      const people: Person[] = (await pending).$resources
      const last = people.at(-1)?.$key ?? null
      const following = { after: last, upTo: range.upTo }
      const more: boolean = people.length === pageSize && last !== range.upTo
      if (prefetch && more) pending = fetchPage(following)
      if (people.length > 0) rows += await store(people)
      pending = more ? (prefetch ? pending : fetchPage(following)) : null
    }
    return rows
  }

  try {
    const total = (await get({ select: 'Id', count: 1 })).$totalResults
    const offsets = Array.from({ length: lanes - 1 }, (_, lane) => Math.floor(((lane + 1) * total) / lanes))
    const borders = await Promise.all(offsets.map(keyAt))
    const ranges = [null, ...borders].map((after, lane) => ({ after, upTo: borders[lane] ?? null }))
    const counts = await Promise.all(ranges.map(readLane))
    return counts.reduce((sum, count) => sum + count, 0)
  } finally {
    await pool.destroy()
  }
}

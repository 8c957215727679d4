import type { CrmEntity, KeyRange } from '../../domain/crm.ts'
import { cleanText } from '../values/text.ts'

export type Query = {
  select?: string[]
  where?: string
  /** `Id`, `ModifyDate desc` */
  orderBy?: string
  include?: string
  count?: number
  /** 1-based */
  startIndex?: number
}

/** How far a GET may grow before IIS or a proxy may refuse it; both vendor clients change to POST here (sdata.md 2.5). */
export const maxUrlLength = 2000

export const kinds = { lead: 'leads', contact: 'contacts' } as const satisfies Record<CrmEntity, string>

/** A string literal: apostrophes doubled (5.3). */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** A date literal in UTC with its `Z`, to the second. */
export const instantLiteral = (ms: number): string => `@${new Date(ms).toISOString().slice(0, 19)}Z@`

export const and = (...conditions: (string | null)[]): string | undefined =>
  conditions.filter((condition) => condition !== null).join(' and ') || undefined

export const inRange = ({ after, upTo }: KeyRange): string | undefined =>
  and(after === null ? null : `Id gt ${literal(after)}`, upTo === null ? null : `Id le ${literal(upTo)}`)

export const isOneOf = (property: string, values: string[]): string =>
  `${property} in (${values.map(literal).join(',')})`

const legible: Record<string, string> = { '%2C': ',', '%2F': '/', '%3A': ':', '%40': '@', '%24': '$' }

/** One query value on the wire: space %20, plus %2B, percent %25, UTF-8; the apostrophe as %27 unless this server wants it raw (2.6). */
export const encodeValue = (value: string, rawApostrophe = false): string => {
  const encoded = encodeURIComponent(cleanText(value)).replace(/%(2C|2F|3A|40|24)/g, (code) => legible[code]!)
  return rawApostrophe ? encoded : encoded.replaceAll("'", '%27')
}

/** `path?…&format=json`; `path` is relative to the SData root. */
export const buildUrl = (root: string, path: string, query: Query = {}, rawApostrophe = false): string => {
  const given: [string, string | number | undefined][] = [
    ['select', query.select?.join(',')],
    ['include', query.include],
    ['where', query.where],
    ['orderby', query.orderBy],
    ['startIndex', query.startIndex],
    ['count', query.count],
    ['format', 'json'],
  ]
  const pairs = given.filter((pair): pair is [string, string | number] => pair[1] !== undefined)
  const encodedPath = encodeValue(path, rawApostrophe)
  return `${root}/${encodedPath}?${pairs.map(([key, value]) => `${key}=${encodeValue(String(value), rawApostrophe)}`).join('&')}`
}

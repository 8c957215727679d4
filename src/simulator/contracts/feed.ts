import { unknownProperty } from '../diagnosis.ts'
import type { Strikes } from '../faults.ts'
import type { Call } from '../http/call.ts'
import type { Settings } from '../settings.ts'
import { encodeList, type Texts } from './bytes.ts'

const quote = (text: string): string => JSON.stringify(text)

const withParameter = (url: string, name: string, value: number): string => {
  const [path = '', query = ''] = url.split('?')
  const rest = query
    .split('&')
    .filter((part) => part !== '' && !part.toLowerCase().startsWith(`${name.toLowerCase()}=`))
  return `${path}?${[...rest, `${name}=${value}`].join('&')}`
}

export const totalFor = (total: number, strikes: Strikes): number | undefined => {
  const fault = strikes.get('totals')
  if (fault === undefined) return total
  if (fault.missing === true) return undefined
  return fault.value ?? Math.round(total * (fault.factor ?? 1))
}

/** Rows that a page holds: what was asked, at most what the server gives. */
export const pageSize = (call: Call, settings: Settings, fallback = settings.defaultPage): number => {
  const asked = Math.min(call.args.count ?? fallback, settings.maxPage)
  return Math.min(asked, call.strikes.get('shortPages')?.rows ?? asked)
}

export type Page = { title: string; path: string; total: number; size: number; entries: Texts }

/** sdata.md 4.1 */
export const writeFeed = (call: Call, page: Page): Buffer => {
  const { args, strikes, base } = call
  const total = totalFor(page.total, strikes)
  const start = args.startIndex
  const parts = [`"$descriptor":${quote(page.title)}`, `"$url":${quote(call.url)}`]
  if (total !== undefined) parts.push(`"$totalResults":${total}`)
  parts.push(`"$startIndex":${start}`, `"$itemsPerPage":${page.size}`)
  const link = (name: string, index: number): void => {
    parts.push(`"${name}":${quote(withParameter(call.url, 'startIndex', index))}`)
  }
  link('$first', 1)
  if (page.size > 0) link('$last', Math.max(1, Math.floor((page.total - 1) / page.size) * page.size + 1))
  const shown = page.entries.length
  if (shown > 0 && start + shown <= page.total && strikes.get('noNext') === undefined) link('$next', start + shown)
  if (start > 1) link('$previous', Math.max(1, start - page.size))
  if (!args.compact)
    for (const name of ['$template', '$schema', '$service', '$post'])
      parts.push(`"${name}":${quote(`${base}/${page.path}${name === '$post' ? '' : `/${name}`}`)}`)
  return encodeList(`{${parts.join(',')},"$resources":[`, page.entries, ']}')
}

/** For callers that only know names: the same error everywhere. */
export const unknownName = (settings: Settings, name: string, entity: string): Error =>
  unknownProperty(settings.unknownPropertyStatus, name, entity)

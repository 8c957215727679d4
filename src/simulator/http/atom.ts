import { escapeXml } from '../contracts/schema.ts'
import { parseDate } from '../dates.ts'
import type { Diagnosis } from '../diagnosis.ts'
import { parseJson } from './body.ts'

type Json = { [name: string]: unknown }

const spaces = [
  'xmlns:sdata="http://schemas.sage.com/sdata/2008/1"',
  'xmlns:http="http://schemas.sage.com/sdata/http/2008/1"',
  'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"',
  'xmlns:slx="http://schemas.sage.com/dynamic/2007"',
  'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
  'xmlns="http://www.w3.org/2005/Atom"',
].join(' ')

// XML 1.0 has no place for control characters or lone surrogates
const clean = (text: string): string =>
  escapeXml(
    Buffer.from(text)
      .toString()
      .replaceAll(/(?![\t\n\r])[\p{Cc}\ufffe\uffff]/gu, '\uFFFD'),
  )

/** Payload dates carry an offset and no Z (sdata.md 7). */
const dateText = (ms: number): string => new Date(ms).toISOString().replace(/(?:\.000)?Z$/, '+00:00')

const valueText = (value: unknown): string => {
  const text = String(value)
  const ms = text.startsWith('/Date(') ? parseDate(text) : undefined
  return ms === undefined ? clean(text) : dateText(ms)
}

const attributesOf = (value: Json): string =>
  [
    ['sdata:key', value['$key']],
    ['sdata:uri', value['$url']],
  ]
    .filter(([, text]) => text !== undefined)
    .map(([name, text]) => ` ${String(name)}="${clean(String(text))}"`)
    .join('')

const element = (name: string, value: unknown): string => {
  if (value === null) return `<slx:${name} xsi:nil="true"/>`
  if (typeof value !== 'object') return `<slx:${name}>${valueText(value)}</slx:${name}>`
  const list = (value as Json)['$resources'] as Json[] | undefined
  const inner =
    list === undefined ? children(value as Json) : list.map((item) => element(name.replace(/s$/, ''), item)).join('')
  return `<slx:${name}${attributesOf(value as Json)}>${inner}</slx:${name}>`
}

const children = (value: Json): string =>
  Object.entries(value)
    .filter(([name]) => !name.startsWith('$'))
    .map(([name, inner]) => element(name, inner))
    .join('')

const entry = (value: Json, payload: string, root: boolean): string => {
  const marks = [
    `<id>${clean(String(value['$url'] ?? ''))}</id>`,
    `<title>${clean(String(value['$descriptor'] ?? ''))}</title>`,
    ...(value['$updated'] === undefined ? [] : [`<updated>${valueText(value['$updated'])}</updated>`]),
    ...(value['$etag'] === undefined ? [] : [`<http:etag>${clean(String(value['$etag']))}</http:etag>`]),
    '<http:httpStatus>200</http:httpStatus>',
  ]
  return `<entry${root ? ` ${spaces}` : ''}>${marks.join('')}<sdata:payload>${element(payload, value)}</sdata:payload></entry>`
}

const searches: Record<string, string> = {
  $totalResults: 'totalResults',
  $startIndex: 'startIndex',
  $itemsPerPage: 'itemsPerPage',
}

/** The same document as Atom, from its JSON. */
export const toAtom = (json: string, payload: string): { text: string; type: string } => {
  const document = parseJson(json) as Json
  const head = '<?xml version="1.0" encoding="utf-8"?>\n'
  const resources = document['$resources'] as Json[] | undefined
  if (resources === undefined)
    return { text: head + entry(document, payload, true), type: 'application/atom+xml;type=entry' }
  const counts = Object.entries(searches)
    .filter(([name]) => document[name] !== undefined)
    .map(([name, tag]) => `<opensearch:${tag}>${String(document[name])}</opensearch:${tag}>`)
  const links = ['first', 'previous', 'next', 'last']
    .filter((rel) => document[`$${rel}`] !== undefined)
    .map(
      (rel) =>
        `<link rel="${rel}" type="application/atom+xml;type=feed" href="${clean(String(document[`$${rel}`]))}"/>`,
    )
  const text = `${head}<feed ${spaces}><id>${clean(String(document['$url']))}</id><title>${clean(String(document['$descriptor']))}</title>${counts.join('')}${links.join('')}${resources.map((item) => entry(item, payload, false)).join('')}</feed>`
  return { text, type: 'application/atom+xml;type=feed' }
}

export const diagnosesXml = (list: Diagnosis[]): string => {
  const items = list.map(
    ({ severity, sdataCode, message, stackTrace }) =>
      `<sdata:diagnosis><sdata:severity>${severity.toLowerCase()}</sdata:severity><sdata:sdataCode>${sdataCode}</sdata:sdataCode><sdata:message>${clean(message)}</sdata:message><sdata:stackTrace>${clean(stackTrace)}</sdata:stackTrace></sdata:diagnosis>`,
  )
  return `<?xml version="1.0" encoding="utf-8"?>\n<sdata:diagnoses xmlns:sdata="http://schemas.sage.com/sdata/2008/1">${items.join('')}</sdata:diagnoses>`
}

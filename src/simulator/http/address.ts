import { Refusal } from '../diagnosis.ts'
import type { Incoming } from '../faults.ts'
import { parseQuery } from '../query/arguments.ts'

export type Segment = { name: string; selector: string | undefined }

/** A request's address, taken apart and decoded. */
export type Address = {
  contract: string
  segments: Segment[]
  query: Map<string, string>
  /** decoded, for the journal and for faults that look for a text */
  path: string
}

export const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Refusal(400, 'BadUrlSyntax', 'The URL holds a broken percent sequence.')
  }
}

const segmentOf = (text: string): Segment => {
  const match = /^([^(]*)\((.*)\)$/s.exec(text)
  return match === null ? { name: text, selector: undefined } : { name: String(match[1]), selector: match[2] }
}

/** `leads('Q…')`, `leads("Q…")`: the key; anything else between the parentheses is a condition. */
export const keyOf = (selector: string): string | undefined => {
  const match = /^\s*(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)")\s*$/s.exec(selector)
  return match === null ? undefined : (match[1]?.replaceAll("''", "'") ?? match[2]?.replaceAll('""', '"'))
}

/** undefined: not an SData address at all. */
export const parseAddress = (url: string, basePath: string): Address | undefined => {
  const at = url.includes('?') ? url.indexOf('?') : url.length
  const path = decode(url.slice(0, at))
  const prefix = `${basePath}/slx/`
  if (!path.toLowerCase().startsWith(prefix.toLowerCase())) return undefined
  const [contract = '', dataset = '', ...rest] = url.slice(prefix.length, at).split('/')
  if (dataset !== '-' && dataset !== '')
    throw new Refusal(404, 'ApplicationNotFound', `There is no dataset '${dataset}'.`)
  return {
    contract: decode(contract).toLowerCase(),
    segments: rest.filter((part) => part !== '').map((part) => segmentOf(decode(part))),
    query: parseQuery(url.slice(at + 1)),
    path,
  }
}

/** A request as faults and scripts look at it. */
export const incoming = ({ contract, segments, path, query }: Address, method: string): Incoming => ({
  method,
  contract,
  kind: segments[0]?.name ?? '',
  url: `${path}?${[...query].map((pair) => pair.join('=')).join('&')}`,
})

import { FairleadError } from '../../domain/errors.ts'

const contracts = new Set(['dynamic', 'system', 'metadata', 'gcrm', 'proxy', 'mashups'])

const refuse = (detail: string): FairleadError => new FairleadError('invalidUrl', { detail })

const parse = (typed: string): URL => {
  const text = typed.trim()
  if (!/^https?:\/\//i.test(text)) throw refuse('The CRM address must begin with https:// or http://.')
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw refuse('The CRM address is not a complete URL.')
  }
  if (url.username !== '' || url.password !== '')
    throw refuse('The CRM address must not hold a user name or password; they have their own fields.')
  return url
}

const same = (segment: string | undefined, name: string): boolean => segment?.toLowerCase() === name

/** Where the SData root ends inside a typed path: before `slx/<contract>`, or after the last `sdata` or `slxdata.ashx`. */
const rootLength = (segments: string[]): number => {
  const application = segments.findIndex(
    (segment, at) =>
      same(segment, 'slx') && at > 0 && (at + 1 === segments.length || contracts.has(segments[at + 1]!.toLowerCase())),
  )
  if (application !== -1) return application
  return segments.findLastIndex((segment) => same(segment, 'sdata') || same(segment, 'slxdata.ashx')) + 1
}

/**
 * SData roots to try for what a person typed, best first, e.g. `https://crm.example.com/` → `…/sdata`, `…/SlxClient/sdata`.
 * A typed root is taken at its word and is the only one. Throws invalidUrl (sdata.md 1.4).
 */
export const completeUrl = (typed: string): string[] => {
  const url = parse(typed)
  const segments = url.pathname.split('/').filter((segment) => segment !== '')
  const at = (path: string[]): string => [url.origin, ...path].join('/')
  const known = rootLength(segments)
  if (known > 0) return [at(segments.slice(0, known))]
  const folder = /\.(aspx?|ashx|html?|asmx|svc|php|jsp)$/i.test(segments.at(-1) ?? '')
    ? segments.slice(0, -1)
    : segments
  if (folder.length === 0) return [at(['sdata']), at(['SlxClient', 'sdata'])]
  const gateway = same(folder.at(-1), 'crmsdata') ? [] : [at([...folder, 'CRMSData', 'sdata'])]
  return [at([...folder, 'sdata']), at(folder), ...gateway, at(['sdata'])]
}

/** The URL that a redirect leads to when it may be followed with credentials: same host, never from https to http. Throws redirectRefused. */
export const followRedirect = (from: URL, location: string, status: number): URL => {
  let to: URL | undefined
  try {
    to = new URL(location, from)
  } catch {
    // refused below
  }
  const samePlace = to?.protocol === from.protocol && to.host === from.host
  const upgrade = from.protocol === 'http:' && to?.protocol === 'https:' && to.hostname === from.hostname
  if (to && (samePlace || upgrade)) return to
  const target = to ? { message: `Location: ${to.origin}` } : {}
  throw new FairleadError('redirectRefused', { crm: { status, ...target } })
}

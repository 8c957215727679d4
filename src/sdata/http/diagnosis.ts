import { SaxesParser } from 'saxes'
import type { CrmSaid } from '../../domain/errors.ts'

/** What the CRM said in an error reply, whatever its shape (sdata.md 12). Marks for login are read here, so that no stack trace travels on. */
export type Diagnosis = CrmSaid & {
  severity: string
  mfaRequired: boolean
  passwordExpired: boolean
  /** from "could not resolve property: X of: Entity" */
  unknownProperty: { name: string; owner: string } | null
}

type Members = Record<string, unknown>

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const text = (value: unknown): string | undefined => {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const cut = String(value).replaceAll('\0', '').trim().slice(0, 1000)
  return cut === '' ? undefined : cut
}

/** "could not resolve property: X of: Entity", in NHibernate's words. */
const findProperty = (message: string): Diagnosis['unknownProperty'] => {
  const match = /could not resolve property:?\s*["']?([\w.$/]+)["']?(?:\s+of:?\s*([\w.+`]+))?/i.exec(message)
  return match ? { name: match[1]!.replace(/\.$/, ''), owner: match[2] ?? '' } : null
}

const expired = /User\.Rules\.IsValidPassword|password[^.]{0,40}\bexpired|expired[^.]{0,20}password/i

const fromMembers = (members: Members): Diagnosis => {
  const lower = Object.fromEntries(Object.entries(members).map(([key, value]) => [key.toLowerCase(), value]))
  const message = text(lower['message'])
  const trace = [message, text(lower['stacktrace']), lower['stacktrace']].join('\n')
  const code = text(lower['sdatacode']) ?? text(lower['applicationcode'])
  const unknownProperty = findProperty(trace)
  return {
    code,
    message,
    field: text(lower['payloadpath']) ?? unknownProperty?.name,
    severity: (text(lower['severity']) ?? '').toLowerCase(),
    mfaRequired: lower['mfarequired'] === true || lower['mfarequired'] === 'true' || code === 'MfaRequired',
    passwordExpired: expired.test(trace),
    unknownProperty,
  }
}

const markers = ['sdatacode', 'mfarequired', 'stacktrace', 'applicationcode', 'payloadpath', 'severity']

const looksLike = (value: unknown): value is Members => {
  if (!isObject(value)) return false
  const keys = new Set(Object.keys(value).map((key) => key.toLowerCase()))
  return markers.some((marker) => keys.has(marker)) && !keys.has('$key')
}

/** The diagnosis inside parsed JSON, null when it is an ordinary answer: array, `$diagnoses`, `diagnoses`, or one object. */
export const diagnose = (json: unknown): Diagnosis | null => {
  if (Array.isArray(json)) {
    const all = json.filter((item) => looksLike(item) || (isObject(item) && 'message' in item)).map(fromMembers)
    return all.find(({ severity }) => severity !== 'info' && severity !== 'warning') ?? all[0] ?? null
  }
  if (!isObject(json) || '$resources' in json) return null
  const list = json['$diagnoses'] ?? json['diagnoses']
  if (Array.isArray(list) && list.length > 0) {
    const inner = list.find(isObject)
    return fromMembers({ ...inner, mfaRequired: inner?.['mfaRequired'] ?? json['mfaRequired'] })
  }
  if (isObject(list)) return fromMembers(list)
  return looksLike(json) ? fromMembers(json) : null
}

const fromXml = (xml: string): Diagnosis | null => {
  const members: Members = {}
  const parser = new SaxesParser({})
  let name = ''
  let inside = 0
  parser.on('opentag', (tag) => {
    name = tag.name.replace(/^.*:/, '')
    if (name === 'diagnosis') inside += 1
  })
  parser.on('text', (value) => {
    if (inside === 1) members[name] = `${members[name] ?? ''}${value}`.trim()
  })
  parser.on('closetag', (tag) => {
    if (tag.name.endsWith('diagnosis')) inside += 1
    name = ''
  })
  parser.on('error', () => undefined)
  try {
    parser.write(xml.slice(0, 100_000)).close()
  } catch {
    // what was read so far is enough
  }
  return inside > 0 ? fromMembers(members) : null
}

const blank: Omit<Diagnosis, 'message'> = {
  severity: '',
  mfaRequired: false,
  passwordExpired: false,
  unknownProperty: null,
}

/** The same for a body that is not JSON: XML diagnoses, an HTML page's title, plain text. */
export const diagnoseText = (body: string): Diagnosis => {
  const trimmed = body.trim()
  if (trimmed.startsWith('<')) {
    const xml = /<(\w+:)?diagnos[ei]s\b/.test(trimmed) ? fromXml(trimmed) : null
    if (xml) return xml
    const title = /<title[^>]*>([^<]*)</i.exec(trimmed)?.[1]
    return { ...blank, message: text(title), unknownProperty: findProperty(trimmed) }
  }
  return {
    ...blank,
    message: text(trimmed),
    passwordExpired: expired.test(trimmed),
    unknownProperty: findProperty(trimmed),
  }
}

/** An issue of zod, or what the validator of the routes keeps of it. */
type Issue = { code?: string; message?: string; [detail: string]: unknown }

const kinds: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
}
const formats: Record<string, string> = {
  uuid: 'an id: a UUID',
  datetime: 'an instant, as 2026-11-23T10:00:02Z',
  date: 'a date, as 2026-11-23',
  url: 'an address, as https://crm.example.com/sdata',
  email: 'an e-mail address',
}
const units: Record<string, [one: string, many: string]> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
}

const counted = (origin: unknown, limit: unknown): string => {
  const [one, many] = units[String(origin)] ?? []
  return many === undefined ? String(limit) : `${String(limit)} ${Number(limit) === 1 ? one : many}`
}

const bound = (word: string, beyond: string, limit: unknown, { origin, inclusive }: Issue): string => {
  const said = inclusive === false ? `${beyond} ${String(limit)}` : `${word} ${counted(origin, limit)}`
  return origin === 'number' || origin === 'int' ? `expects a number: ${said}` : `expects ${said}`
}

/** The library's own phrases, as far as a schema has not said something better. */
const isStock = (message: string): boolean => /^(Invalid|Too (small|big)|Unrecognized)\b/.test(message)

/** What is wrong with an input, for people, to be read after its place (R25). */
export const wordsOf = (issue: Issue): string => {
  const { code, message = '', origin } = issue
  if (message !== '' && !isStock(message)) return message
  if (message.endsWith('received undefined')) return 'is missing'
  if (code === 'invalid_type') return `expects ${kinds[String(issue['expected'])] ?? String(issue['expected'])}`
  if (code === 'invalid_format') return `expects ${formats[String(issue['format'])] ?? 'the form that is described'}`
  if (code === 'invalid_value') return `expects ${(issue['values'] as unknown[]).map(String).join(' or ')}`
  if (code === 'too_small' && origin !== 'number' && issue['minimum'] === 1) return 'is empty'
  if (code === 'too_small') return bound('at least', 'above', issue['minimum'], issue)
  if (code === 'too_big') return bound('at most', 'below', issue['maximum'], issue)
  return 'is not of the form that is described'
}

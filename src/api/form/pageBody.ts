import type { FastifyInstance, FastifyRequest } from 'fastify'
import { FairleadError, misplaced } from '../../domain/errors.ts'
import type { FormDefinition } from '../../domain/form.ts'
import { tokenName, trapName } from './pageView.ts'

/** Answers have up to 64 Ki characters (R39), and a letter of Latin, Greek or Cyrillic takes up to six bytes in a form's post. */
export const pageBytes = 256 * 1024
/** A form has 200 fields at most; a question of several choices sends one part for each of them. */
const mostNames = 250
const mostParts = 2000

type Parts = Record<string, string | string[]>

const tooMany = (): FairleadError =>
  new FairleadError('bodyTooLarge', { detail: 'More fields were sent than a form can have.' })

const countParts = (body: string): number => {
  let parts = 1
  for (let at = body.indexOf('&'); at !== -1 && parts <= mostParts; at = body.indexOf('&', at + 1)) parts += 1
  return parts
}

const readParts = (body: string): Parts => {
  if (countParts(body) > mostParts) throw tooMany()
  const parts = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(body)) {
    const known = parts.get(name)
    parts.set(name, known === undefined ? value : [known, value].flat())
    if (parts.size > mostNames) throw tooMany()
  }
  return Object.fromEntries(parts)
}

/** Lets the routes of the scope take what an HTML form sends. */
export const parseForms = (app: FastifyInstance): void => {
  app.addContentTypeParser<string>(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: pageBytes },
    async (_request: FastifyRequest, body: string) => readParts(body),
  )
}

export type Post = {
  /** field name → what was answered */
  given: Record<string, unknown>
  token: unknown
  /** filled in what no person sees */
  trapped: boolean
}

const isJson = ({ headers }: FastifyRequest): boolean => /^application\/json\b/i.test(headers['content-type'] ?? '')

/** Whether the answer is for a program: it sends JSON, or asks for it. */
export const wantsJson = (request: FastifyRequest): boolean => {
  const { accept = '' } = request.headers
  return isJson(request) || (/\bapplication\/(problem\+)?json\b/i.test(accept) && !/\btext\/html\b/i.test(accept))
}

/** Where one answer is expected and several came, the last one counts: forms send a fallback first. */
const single = (given: Record<string, unknown>, { fields }: FormDefinition): void => {
  for (const { name, type } of fields) {
    const value = given[name]
    if (type !== 'choices' && Array.isArray(value)) given[name] = value.at(-1)
  }
}

/** What a post brings. A parameter of the address fills the hidden fields that are named after it, unless the body has them. */
export const readPost = (request: FastifyRequest, definition: FormDefinition): Post => {
  const body = request.body ?? {}
  if (typeof body !== 'object' || Array.isArray(body)) throw misplaced('body', 'expects an object of answers.')
  if (Object.keys(body).length > mostNames) throw tooMany()
  const { [tokenName]: token, [trapName]: trap, ...sent } = body as Record<string, unknown>
  const given: Record<string, unknown> = { ...parametersOf(request, definition), ...sent }
  if (!isJson(request)) single(given, definition)
  return { given, token, trapped: trap !== undefined && trap !== null && trap !== '' }
}

/** Hidden field → the parameter of the page's address that fills it. A link that says too much is cut, and refuses nobody. */
export const parametersOf = (request: FastifyRequest, { fields }: FormDefinition): Record<string, string> => {
  const query = request.query as Record<string, unknown>
  return Object.fromEntries(
    fields.flatMap(({ name, hidden, maxLength }) => {
      const value = hidden !== null && 'parameter' in hidden ? [query[hidden.parameter]].flat().at(-1) : undefined
      return typeof value === 'string' ? [[name, value.slice(0, maxLength ?? 1000)]] : []
    }),
  )
}

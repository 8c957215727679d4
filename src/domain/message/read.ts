import { FairleadError } from '../errors.ts'
import { readTyped } from '../typed.ts'
import type { MessageAudience, MessageDefinition, MessageSender, UnknownFate } from './definition.ts'

/** As somebody gave it; what is missing has its default. */
export type GivenMessage = {
  subject: string
  preheader?: string | undefined
  html?: string | undefined
  text?: string | null | undefined
  from: { name?: string | undefined; email: string }
  replyTo?: string | null | undefined
  audience?: Partial<MessageAudience> | undefined
  addNote?: boolean | undefined
  sender?: MessageSender | undefined
  unknownFate?: UnknownFate | undefined
}

/** Lists and segments of the account that were not removed. */
type Known = { lists: ReadonlySet<string>; segments: ReadonlySet<string> }
type Issue = { path: string; message: string }

/** R39. */
const mostBytes = 500_000
const mostSources = 100
const longest = { subject: 500, preheader: 1000, fromName: 200 }

const isOneLine = (value: string): boolean => !/[\p{Cc}\u2028\u2029]/u.test(value)

const oneLine = (path: string, value: string, most: number): Issue[] => [
  ...(isOneLine(value) ? [] : [{ path, message: 'Must be one line, without control characters.' }]),
  ...(value.length > most ? [{ path, message: `Expects at most ${most} characters.` }] : []),
]

const large = (path: string, value: string): Issue[] =>
  new TextEncoder().encode(value).length > mostBytes
    ? [{ path, message: `Expects at most ${mostBytes / 1000} KB.` }]
    : []

const address = (path: string, value: string): Issue[] => {
  const isAddress = isOneLine(value) && typeof readTyped('email', value)[0] === 'string'
  return isAddress ? [] : [{ path, message: 'Expects an address such as news@example.com.' }]
}

const sources = (path: string, ids: readonly string[], known: ReadonlySet<string>, what: string): Issue[] => [
  ...(ids.length > mostSources ? [{ path, message: `Expects at most ${mostSources}.` }] : []),
  ...ids.flatMap((id, index) =>
    known.has(id) ? [] : [{ path: `${path}[${index}]`, message: `There is no such ${what}.` }],
  ),
]

const unique = (ids: readonly string[] | undefined): string[] => [...new Set(ids)]

const readAudience = (given: Partial<MessageAudience> = {}): MessageAudience => ({
  lists: unique(given.lists),
  segments: unique(given.segments),
  withoutLists: unique(given.withoutLists),
  withoutSegments: unique(given.withoutSegments),
})

const issuesOf = (
  { subject, preheader, html, text, from, replyTo, audience }: MessageDefinition,
  { lists, segments }: Known,
): Issue[] => [
  ...oneLine('subject', subject, longest.subject),
  ...oneLine('preheader', preheader, longest.preheader),
  ...large('html', html),
  ...large('text', text ?? ''),
  ...oneLine('from.name', from.name, longest.fromName),
  ...address('from.email', from.email),
  ...(replyTo === null ? [] : address('replyTo', replyTo)),
  ...sources('audience.lists', audience.lists, lists, 'list'),
  ...sources('audience.withoutLists', audience.withoutLists, lists, 'list'),
  ...sources('audience.segments', audience.segments, segments, 'segment'),
  ...sources('audience.withoutSegments', audience.withoutSegments, segments, 'segment'),
]

/** G1. Errors: invalidInput with every place that is wrong. */
export const readMessage = (given: GivenMessage, known: Known): MessageDefinition => {
  const definition: MessageDefinition = {
    subject: given.subject.trim(),
    preheader: given.preheader?.trim() ?? '',
    html: given.html ?? '',
    text: given.text ?? null,
    from: { name: given.from.name?.trim() ?? '', email: given.from.email.trim() },
    replyTo: given.replyTo?.trim() ?? null,
    audience: readAudience(given.audience),
    addNote: given.addNote ?? true,
    sender: given.sender ?? 'smtp',
    unknownFate: given.unknownFate ?? 'repeat',
  }
  const errors = issuesOf(definition, known)
  const [first] = errors
  if (first === undefined) return definition
  throw new FairleadError('invalidInput', { detail: `${first.path}: ${first.message}`, errors })
}

import { isText, readTyped } from '../typed.ts'
import type { FormDefinition, FormField } from './definition.ts'
import { longestAnswers } from './field.ts'
import type { Answers } from './submission.ts'
import { answerSentence, languageOf, type AnswerCode } from './text.ts'

export type AnswerIssue = { path: string; code: AnswerCode; message: string }

type Options = {
  /** `refuse`: an answer to a field that the form does not have is an error */
  unknown?: 'ignore' | 'refuse' | undefined
  /** of the messages; the form's default one when missing */
  language?: string | null | undefined
}

type Answer = Answers[string]
type Wrong = { code: AnswerCode; limit?: string | number }
type Read = { value: Answer } | Wrong

const blank: Read = { value: '' }
/** As JSON, in characters (R39). */
const mostOfAll = 64 * 1024

const isNothing = (given: unknown): boolean =>
  given === null ||
  (typeof given === 'string' && given.trim() === '') ||
  (Array.isArray(given) && given.every((each) => each === null || (typeof each === 'string' && each.trim() === '')))

const readText = ({ type, maxLength }: FormField, given: unknown): Read => {
  if (typeof given !== 'string' || !isText(given)) return { code: 'notText' }
  // pages send two characters for the end of a line
  const text = given.replaceAll('\r\n', '\n').trim()
  const value = type === 'longText' ? text : text.replaceAll(/[\r\n]+/g, ' ')
  const most = maxLength ?? longestAnswers[type] ?? 1000
  return value.length > most ? { code: 'tooLong', limit: most } : { value }
}

const readEmail = (field: FormField, given: unknown): Read => {
  const read = readText(field, given)
  if ('code' in read) return read.code === 'tooLong' ? read : { code: 'notEmail' }
  return readTyped('email', read.value)[0] === undefined ? { code: 'notEmail' } : read
}

const readNumber = ({ min, max }: FormField, given: unknown): Read => {
  if (typeof given !== 'number' && typeof given !== 'string') return { code: 'notNumber' }
  const [read] = readTyped('number', given)
  if (read === undefined) return { code: 'notNumber' }
  // a numeral that a double cannot hold stays as it was written
  const value = typeof read === 'object' && read !== null ? read.bigDecimal : (read as number)
  if (typeof min === 'number' && Number(value) < min) return { code: 'tooSmall', limit: min }
  return typeof max === 'number' && Number(value) > max ? { code: 'tooLarge', limit: max } : { value }
}

const readDay = ({ min, max }: FormField, given: unknown): Read => {
  const value = readTyped('date', typeof given === 'string' ? given.trim() : given)[0]
  if (typeof value !== 'string') return { code: 'notDate' }
  if (typeof min === 'string' && value < min) return { code: 'tooSmall', limit: min }
  return typeof max === 'string' && value > max ? { code: 'tooLarge', limit: max } : { value }
}

const readChoice = ({ choices }: FormField, given: unknown): Read => {
  const said = typeof given === 'string' ? given.trim() : given
  const found = choices.find(({ value }) => value === said)
  return found === undefined ? { code: 'notChoice' } : { value: found.value }
}

const readChoices = ({ choices }: FormField, given: unknown): Read => {
  const said = (Array.isArray(given) ? given : [given]).filter((each) => !isNothing(each))
  const asked = new Set<unknown>(said.map((each: unknown) => (typeof each === 'string' ? each.trim() : each)))
  const value = choices.flatMap((choice) => (asked.has(choice.value) ? [choice.value] : []))
  return value.length === asked.size ? { value } : { code: 'notChoice' }
}

const truths = new Map<unknown, boolean>([
  ['on', true],
  ['yes', true],
  ['ja', true],
  ['off', false],
  ['no', false],
  ['nein', false],
])

const readTick = (given: unknown): Read => {
  const said = typeof given === 'string' ? given.trim().toLowerCase() : given
  const value = truths.get(said) ?? readTyped('boolean', said)[0]
  return typeof value === 'boolean' ? { value } : { code: 'notYesNo' }
}

const readGiven = (field: FormField, given: unknown): Read => {
  if (isNothing(given)) return blank
  switch (field.type) {
    case 'email':
      return readEmail(field, given)
    case 'number':
      return readNumber(field, given)
    case 'date':
      return readDay(field, given)
    case 'choice':
      return readChoice(field, given)
    case 'choices':
      return readChoices(field, given)
    case 'checkbox':
    case 'consent':
      return readTick(given)
    default:
      return readText(field, given)
  }
}

/** A fixed value is ours, whatever was sent. Missing stays missing. */
const readOne = (field: FormField, given: Record<string, unknown>): Read | undefined => {
  if (field.hidden !== null && 'value' in field.hidden) return { value: field.hidden.value }
  const said = Object.hasOwn(given, field.name) ? given[field.name] : undefined
  return said === undefined ? undefined : readGiven(field, said)
}

const isTicked = ({ type }: FormField): boolean => type === 'checkbox' || type === 'consent'

const isLacking = (field: FormField, value: Answer | undefined): boolean =>
  field.required && (value === undefined || value === '' || (isTicked(field) && value === false))

/**
 * Answers as somebody sent them, read by the form's version. What was not sent is missing, what was left blank is ''. Nothing is thrown: errors
 * name the field as `path`, '' for the whole.
 */
export const readAnswers = (
  definition: FormDefinition,
  given: Record<string, unknown>,
  { unknown = 'ignore', language }: Options = {},
): { answers: Answers; errors: AnswerIssue[] } => {
  const answers = new Map<string, Answer>()
  const errors: AnswerIssue[] = []
  const words = languageOf(definition, language)
  const fail = (path: string, { code, limit }: Wrong) =>
    errors.push({ path, code, message: answerSentence(code, words, limit) })
  let isEmpty = true
  for (const field of definition.fields) {
    const read = readOne(field, given)
    const value = read !== undefined && 'value' in read ? read.value : undefined
    if (value !== undefined) answers.set(field.name, value)
    if (field.type !== 'hidden' && read !== undefined && value !== '' && value !== false) isEmpty = false
    if (read !== undefined && 'code' in read) fail(field.name, read)
    else if (isLacking(field, value))
      fail(field.name, { code: field.type === 'consent' ? 'consentMissing' : 'required' })
  }
  if (unknown === 'refuse') {
    const names = new Set(definition.fields.map(({ name }) => name))
    for (const name of Object.keys(given)) if (!names.has(name)) fail(name.slice(0, 64), { code: 'unknownField' })
  }
  const read = Object.fromEntries(answers)
  if (JSON.stringify(read).length > mostOfAll) fail('', { code: 'tooMuch' })
  if (!isEmpty) return { answers: read, errors }
  const sentence = { path: '', code: 'emptySubmission' as const, message: answerSentence('emptySubmission', words) }
  return { answers: read, errors: [sentence, ...errors] }
}

import { Tokenizer, type Liquid, type Template } from 'liquidjs'
import { misplaced } from '../domain/errors.ts'
import type { MessagePart, Placeholder } from '../domain/message.ts'
import { escapeHtml, htmlLiquid, plainLiquid } from './liquid.ts'
import { createReader } from './place.ts'

/** How the library says what went wrong where. */
type LiquidFailure = {
  name: string
  message: string
  originalError?: { message: string }
  token?: { getPosition(): number[] }
}

const sentenceOf = ({ message, originalError }: LiquidFailure): string =>
  (originalError?.message ?? message).replace(/, line:\d+, col:\d+$/, '').slice(0, 200)

const placeOf = ({ token }: LiquidFailure): string => {
  const [line = 1, column = 1] = token?.getPosition() ?? []
  return `Line ${line}, column ${column}`
}

/** Reads a template. Errors: templateInvalid, with line and column. */
export const parse = (liquid: Liquid, part: MessagePart, source: string): Template[] => {
  try {
    return liquid.parse(source)
  } catch (error) {
    const failure = error as LiquidFailure
    throw misplaced(part, `${placeOf(failure)}: ${sentenceOf(failure)}.`, 'templateInvalid')
  }
}

type Values = Record<string, string>

/** Errors: unknownPlaceholder, templateFailed. Neither holds a value. */
export const renderPart = (liquid: Liquid, part: MessagePart, templates: Template[], values: Values): string => {
  try {
    return liquid.renderSync(templates, values) as string
  } catch (error) {
    const failure = error as LiquidFailure
    if (failure.name !== 'UndefinedVariableError')
      throw misplaced(part, `${placeOf(failure)}: The value does not fit what is done with it.`, 'templateFailed')
    throw misplaced(part, `${placeOf(failure)}: ${sentenceOf(failure)}.`, 'unknownPlaceholder')
  }
}

const names = (liquid: Liquid, part: MessagePart, source: string): Placeholder[] => {
  const { globals } = liquid.analyzeSync(parse(liquid, part, source), { partials: false })
  return Object.values(globals).flatMap((uses) =>
    uses.map(({ segments, location: { row, col } }) => ({
      name: segments.map((each) => (Array.isArray(each) ? '…' : String(each))).join('.'),
      part,
      line: row,
      column: col,
    })),
  )
}

/** What a template asks for, at every place where it does. Errors: templateInvalid. */
export const placeholdersOf = (part: MessagePart, source: string): Placeholder[] =>
  names(part === 'html' || part === 'preheader' ? htmlLiquid : plainLiquid, part, source)

const positionOf = (source: string, at: number): string => {
  const lines = source.slice(0, at).split('\n')
  return `Line ${lines.length}, column ${lines.at(-1)!.length + 1}`
}

const afterValue =
  'In the address of a link no colon may follow a placeholder: write what is before the colon yourself.'

const topLevel = (source: string) =>
  new Tokenizer(source, htmlLiquid.options.operators).readTopLevelTokens(htmlLiquid.options).map((token) => ({
    kind: token.constructor.name,
    begin: token.begin,
    text: source.slice(token.begin, token.end),
  }))

const withFilter = (output: string, filter: string): string =>
  output.replace(/\s*-?\}\}$/, (end) => ` | ${filter}${end}`)

/**
 * The template of an HTML part, with what keeps values harmless: placeholders where a value could become markup or a script are refused, those that begin the
 * address of a link are checked when the mail is made. `bodyBegin`: where the body begins in what is answered. Errors: templateInvalid.
 */
export const guardHtml = (source: string): { source: string; bodyBegin: number } => {
  parse(htmlLiquid, 'html', source)
  const reader = createReader()
  let guarded = ''
  for (const { kind, begin, text } of topLevel(source)) {
    if (kind === 'HTMLToken') {
      reader.read(text, guarded.length)
      const at = reader.brokenAt()
      if (at !== null)
        throw misplaced('html', `${positionOf(source, begin + at - guarded.length)}: ${afterValue}`, 'templateInvalid')
    }
    if (kind === 'TagToken') reader.branch()
    if (kind !== 'OutputToken') {
      guarded += text
      continue
    }
    const place = reader.place()
    if (place.kind === 'refused')
      throw misplaced('html', `${positionOf(source, begin)}: ${place.why}`, 'templateInvalid')
    guarded += place.kind === 'text' ? text : withFilter(text, place.isFirst ? 'safe_link' : 'safe_link_part')
    reader.pass()
  }
  return { source: guarded, bodyBegin: reader.bodyBegin() }
}

/** A preheader is text: what a person wrote there is escaped as the values are. Errors: templateInvalid. */
export const escapeText = (part: MessagePart, source: string): string => {
  parse(htmlLiquid, part, source)
  return topLevel(source)
    .map(({ kind, text }) => (kind === 'HTMLToken' ? escapeHtml(text) : text))
    .join('')
}

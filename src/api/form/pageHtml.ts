import { escapeHtml } from '../../domain/html.ts'

/** Text that is markup already. Only `markup` makes it. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | string | number | false | null | undefined | readonly Part[]

const show = (part: Part): string => {
  if (part instanceof Html) return part.text
  if (part === null || part === undefined || part === false) return ''
  return typeof part === 'object' ? part.map(show).join('') : escapeHtml(`${part}`)
}

/** A template whose every value is escaped, lists are joined, and what is missing is nothing. */
export const markup = (strings: TemplateStringsArray, ...parts: Part[]): Html =>
  new Html(strings.map((text, at) => text + show(parts[at])).join(''))

/** ` name="value"` each; true is the name alone, null and false leave it out. */
export const attributes = (values: Record<string, string | number | boolean | null | undefined>): Html =>
  new Html(
    Object.entries(values)
      .filter(([, value]) => value !== null && value !== undefined && value !== false)
      .map(([name, value]) => (value === true ? ` ${name}` : ` ${name}="${escapeHtml(`${value}`)}"`))
      .join(''),
  )

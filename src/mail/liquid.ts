import { Liquid } from 'liquidjs'

/** Templates hold no more than these: nothing that reads files, writes markup of its own, or leaves the escaping of values to chance. */
const tags: ReadonlySet<string> = new Set('assign capture case comment if unless for break continue raw #'.split(' '))
const filters: ReadonlySet<string> = new Set(
  `abs append at_least at_most capitalize ceil concat date default divided_by downcase escape escape_once first floor join last lstrip minus modulo
  newline_to_br plus prepend remove remove_first remove_last replace replace_first replace_last reverse round rstrip size slice sort sort_natural split
  squish strip strip_html strip_newlines times truncate truncatewords uniq upcase url_encode`.split(/\s+/),
)

/** In characters, about. */
const mostParsed = 2_000_000
const mostMemory = 20_000_000
/** A backstop only: a mail is made in a few milliseconds. */
const longestRenderMs = 1000

const textOf = (value: unknown): string => {
  if (value === null || value === undefined) return ''
  const text = Array.isArray(value) ? value.flat(3).map(textOf).join('') : String(value)
  return text.toWellFormed()
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

/** Signs that no HTML may hold become spaces. */
const printable = (text: string): string => text.replaceAll(/[^\P{Cc}\t\n\r]/gu, ' ')
export const escapeHtml = (value: unknown): string =>
  printable(textOf(value)).replaceAll(/[&<>"'`]/g, (sign) => entities[sign]!)

const schemes = /^(https?|mailto|tel):/i
/** What a browser reads an address by: it skips blanks and controls, and nobody else's address has any in its scheme. */
const bare = (value: string): string => value.replaceAll(/[\p{Cc}\s]/gu, '')

/** The address of a link begins with this value: only what leads to a page, a mailbox or a telephone stays. */
const safeLink = (value: unknown): string => {
  const text = textOf(value)
  const scheme = /^[^/?#]*?:/.exec(bare(text))
  return scheme === null || schemes.test(bare(text)) ? text : '#'
}

/** Within an address whose scheme is not settled yet, a value cannot settle it. */
const safeLinkPart = (value: unknown): string => {
  const text = textOf(value)
  return /^[^/?#]*:/.test(bare(text)) ? '#' : text
}

const create = (escape: (value: unknown) => string): Liquid => {
  const liquid = new Liquid({
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    // blank text is false, as `default` takes it
    jsTruthy: true,
    outputEscape: escape,
    // a day is never another one
    timezoneOffset: 0,
    locale: 'en-US',
    templates: {},
    parseLimit: mostParsed,
    renderLimit: longestRenderMs,
    memoryLimit: mostMemory,
  })
  for (const name of Object.keys(liquid.tags)) if (!tags.has(name)) delete liquid.tags[name]
  for (const name of Object.keys(liquid.filters)) if (!filters.has(name)) liquid.unregisterFilter(name)
  // every value is escaped, once
  for (const name of ['escape', 'escape_once']) liquid.registerFilter(name, (value: unknown) => value)
  return liquid
}

const createHtml = (): Liquid => {
  const liquid = create(escapeHtml)
  liquid.registerFilter('safe_link', safeLink)
  liquid.registerFilter('safe_link_part', safeLinkPart)
  liquid.registerFilter('newline_to_br', {
    raw: true,
    handler: (value: unknown) => escapeHtml(value).replaceAll(/\r\n|\r|\n/g, '<br>\n'),
  })
  return liquid
}

const createPlain = (): Liquid => {
  const liquid = create((value) => printable(textOf(value)))
  liquid.registerFilter('newline_to_br', (value: unknown) => value)
  return liquid
}

/** Values become text of HTML. */
export const htmlLiquid = createHtml()
/** Values stay as they are, but for signs that no text holds. */
export const plainLiquid = createPlain()

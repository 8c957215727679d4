/** Where in HTML something stands. `link`: in the address of a link or image that has no scheme yet. `refused`: a value could become markup or a script there. */
export type Place = { kind: 'text' } | { kind: 'link'; isFirst: boolean } | { kind: 'refused'; why: string }

/** Attributes that hold an address which a click or the page itself follows. */
const links: ReadonlySet<string> = new Set([
  'href',
  'src',
  'action',
  'formaction',
  'xlink:href',
  'background',
  'poster',
  'data',
  'ping',
])
const isScript = (attribute: string): boolean =>
  attribute === 'style' || attribute === 'srcdoc' || attribute.startsWith('on')
/** Elements without elements inside; in the first two a value is no text. */
const rawNames: ReadonlySet<string> = new Set(['script', 'style', 'title', 'textarea', 'xmp', 'iframe', 'noembed'])
const isCode = (name: string): boolean => name === 'script' || name === 'style'

/** What a browser would run or read as a page of its own. */
const scripts = ['javascript', 'vbscript', 'livescript', 'data']
/** `text`: of a template, after a value. Whether a colon, also one that is written as a reference, would make a scheme of that value. */
const endsScheme = (text: string): boolean => {
  const [, tail] = /^([a-z]*)(?::|&#|&colon;)$/.exec(text.replaceAll(/[\p{Cc}\s]/gu, '').toLowerCase()) ?? []
  return tail !== undefined && scripts.some((scheme) => scheme !== tail && scheme.endsWith(tail))
}

const isBlank = (sign: string): boolean => /\s/.test(sign)
const isLetter = (sign: string): boolean => /[a-z]/i.test(sign)

type State =
  | 'text'
  | 'open'
  | 'close'
  | 'bang'
  | 'bogus'
  | 'comment'
  | 'name'
  | 'tag'
  | 'attribute'
  | 'after'
  | 'before'
  | 'value'
  | 'raw'

const reasons: Partial<Record<State, string>> = {
  open: 'A placeholder cannot be part of a tag.',
  close: 'A placeholder cannot be part of a tag.',
  bang: 'A placeholder cannot be part of a declaration.',
  bogus: 'A placeholder cannot be part of a declaration.',
  name: 'A placeholder cannot be part of a tag.',
  tag: 'A placeholder cannot be the name of an attribute.',
  attribute: 'A placeholder cannot be the name of an attribute.',
  after: 'A placeholder cannot be the name of an attribute.',
  before: 'Put the value of the attribute into quotation marks.',
}

/**
 * Reads HTML as a browser does, sign by sign, and says where the next sign would stand. What conditional comments of Outlook hold is read as HTML, since
 * Outlook does so.
 */
export const createReader = () => {
  let state: State = 'text'
  let name = ''
  let isEnd = false
  let attribute = ''
  let quote = ''
  let seen = ''
  /** of a link: what stands there since its beginning, or since a tag of the template; null: its scheme is settled */
  let start: string | null = null
  let hasValue = false
  let brokenAt: number | null = null
  let bodyAt: number | null = null
  let headAt: number | null = null

  const endTag = (at: number): void => {
    if (name === 'body' && !isEnd) bodyAt ??= at + 1
    if ((name === 'head' && isEnd) || (name === 'html' && !isEnd)) headAt = at + 1
    const isRaw = !isEnd && rawNames.has(name)
    state = isRaw ? 'raw' : 'text'
    seen = ''
  }
  const beginName = (sign: string, ends: boolean): void => {
    state = 'name'
    name = sign.toLowerCase()
    isEnd = ends
  }
  const beginValue = (sign: string): void => {
    state = 'value'
    quote = sign
    start = links.has(attribute) ? '' : null
    hasValue = false
  }
  const inLink = (sign: string, at: number): void => {
    if (start === null) return
    start += sign
    if (hasValue && endsScheme(start)) brokenAt ??= at
    if (/[:/?#]/.test(sign)) start = null
  }
  const steps: Record<State, (sign: string, at: number) => void> = {
    text: (sign) => void (sign === '<' && (state = 'open')),
    open(sign) {
      if (isLetter(sign)) return beginName(sign, false)
      if (sign === '<') return
      seen = ''
      state = sign === '/' ? 'close' : sign === '!' ? 'bang' : sign === '?' ? 'bogus' : 'text'
    },
    close(sign) {
      if (isLetter(sign)) return beginName(sign, true)
      state = sign === '>' ? 'text' : 'bogus'
    },
    bang(sign, at) {
      seen += sign
      if (seen === '-') return
      state = sign === '>' ? 'text' : seen === '--' ? 'comment' : 'bogus'
      // a document without more begins after its type
      if (state === 'text') headAt ??= at + 1
      seen = ''
    },
    bogus(sign, at) {
      if (sign !== '>') return
      headAt ??= at + 1
      state = 'text'
    },
    comment(sign) {
      seen += sign
      const isOver = seen === '>' || seen === '->' || seen.endsWith('-->') || seen.endsWith('--!>')
      if (isOver) state = 'text'
      else if (seen === '[if') state = 'bogus'
      if (seen.length > 8) seen = `    ${seen.slice(-4)}`
    },
    name(sign, at) {
      if (sign === '>') return endTag(at)
      if (isBlank(sign) || sign === '/') state = 'tag'
      else name += sign.toLowerCase()
    },
    tag(sign, at) {
      if (sign === '>') return endTag(at)
      if (isBlank(sign) || sign === '/') return
      state = 'attribute'
      attribute = sign.toLowerCase()
    },
    attribute(sign, at) {
      if (sign === '>') return endTag(at)
      if (sign === '=') state = 'before'
      else if (isBlank(sign)) state = 'after'
      else if (sign === '/') state = 'tag'
      else attribute += sign.toLowerCase()
    },
    after(sign, at) {
      if (isBlank(sign)) return
      if (sign === '=') state = 'before'
      else steps.tag(sign, at)
    },
    before(sign, at) {
      if (isBlank(sign)) return
      if (sign === '>') return endTag(at)
      beginValue(sign === '"' || sign === "'" ? sign : '')
      if (quote === '') inLink(sign, at)
    },
    value(sign, at) {
      if (quote === '' && sign === '>') return endTag(at)
      if (quote === '' ? isBlank(sign) : sign === quote) state = 'tag'
      else inLink(sign, at)
    },
    raw(sign, at) {
      seen = (seen + sign.toLowerCase()).slice(-name.length - 3)
      if (!seen.startsWith(`</${name}`) || seen.length < name.length + 3 || !/[\s/>]/.test(sign)) return
      isEnd = true
      if (sign === '>') endTag(at)
      else state = 'tag'
    },
  }
  const placeOfValue = (): Place => {
    if (quote === '') return { kind: 'refused', why: reasons.before! }
    if (isScript(attribute)) return { kind: 'refused', why: `A placeholder cannot be part of ${attribute}.` }
    if (start === null) return { kind: 'text' }
    return { kind: 'link', isFirst: !hasValue && start.trim() === '' }
  }
  return {
    /** `from`: where the text begins in the whole */
    read(text: string, from: number): void {
      for (let at = 0; at < text.length; at += 1) {
        // most of a mail is text
        if (state === 'text') {
          const next = text.indexOf('<', at)
          if (next === -1) return
          at = next
        }
        steps[state](text[at]!, from + at)
      }
    },
    /** Where a colon makes the scheme of an address of what a value says. */
    brokenAt: () => brokenAt,
    /** Where a placeholder stands that comes next. */
    place(): Place {
      const why = reasons[state]
      if (why !== undefined) return { kind: 'refused', why }
      if (state === 'raw' && isCode(name)) return { kind: 'refused', why: `A placeholder cannot be part of ${name}.` }
      if (state === 'value') return placeOfValue()
      return { kind: 'text' }
    },
    /** A placeholder was there. */
    pass(): void {
      hasValue = true
      if (state === 'comment' || state === 'raw') seen = ' '.repeat(8)
    },
    /** A tag of the template was there: what follows may be what comes first. */
    branch(): void {
      if (state === 'value' && links.has(attribute)) start = ''
    },
    /** After the tag that begins the body; without one, after head or type of the document. */
    bodyBegin: (): number => bodyAt ?? headAt ?? 0,
  }
}

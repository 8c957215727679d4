import type { Value } from '../model.ts'
import { parseDate } from '../dates.ts'
import { badWhere, tokenize, type Token } from './tokens.ts'

export type Comparison = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'

export type Expression =
  | { is: 'literal'; value: Value; instant?: boolean }
  | { is: 'path'; path: string[] }
  | { is: 'call'; name: string; items: Expression[] }
  | { is: 'compare'; by: Comparison; left: Expression; right: Expression }
  | { is: 'between'; value: Expression; low: Expression; high: Expression }
  | { is: 'in'; value: Expression; items: Expression[] }
  | { is: 'like'; value: Expression; pattern: Expression }
  | { is: 'and' | 'or'; left: Expression; right: Expression }
  | { is: 'not' | 'minus'; value: Expression }
  | { is: 'math'; by: '+' | '-' | 'mul' | 'div' | 'mod'; left: Expression; right: Expression }

const comparisons = new Set(['eq', 'ne', 'lt', 'le', 'gt', 'ge'])
const reserved = new Set([...comparisons, 'and', 'or', 'in', 'like', 'between', 'mul', 'div', 'mod', 'not'])

/** Precedence, tightest first: member access, unary, mul div mod, + -, comparison, and, or. */
class Parser {
  private readonly tokens: Token[]
  private position = 0

  constructor(source: string) {
    this.tokens = tokenize(source)
  }

  parse(): Expression {
    const expression = this.or()
    if (this.token.type !== 'end') throw this.unexpected()
    return expression
  }

  private get token(): Token {
    return this.tokens[this.position] as Token
  }

  private unexpected(): Error {
    const { type, text, at } = this.token
    return badWhere(
      type === 'end'
        ? 'The where clause ends too early.'
        : `Unexpected '${text}' at position ${at + 1} of the where clause.`,
    )
  }

  private word(...words: string[]): string | undefined {
    const { type, text } = this.token
    const lower = text.toLowerCase()
    if ((type !== 'word' && type !== 'sign') || !words.includes(lower)) return undefined
    this.position++
    return lower
  }

  private expect(sign: string): void {
    if (this.word(sign) === undefined) throw this.unexpected()
  }

  private or(): Expression {
    let left = this.and()
    while (this.word('or')) left = { is: 'or', left, right: this.and() }
    return left
  }

  private and(): Expression {
    let left = this.comparison()
    while (this.word('and')) left = { is: 'and', left, right: this.comparison() }
    return left
  }

  private comparison(): Expression {
    const left = this.sum()
    const by = this.word(...comparisons, '=')
    if (by) return { is: 'compare', by: (by === '=' ? 'eq' : by) as Comparison, left, right: this.sum() }
    const negated = this.word('not') !== undefined
    const found = this.listOrPattern(left)
    if (found === undefined) {
      if (negated) throw this.unexpected()
      return left
    }
    return negated ? { is: 'not', value: found } : found
  }

  private listOrPattern(value: Expression): Expression | undefined {
    if (this.word('between')) {
      const low = this.sum()
      this.expect('and')
      return { is: 'between', value, low, high: this.sum() }
    }
    if (this.word('in')) {
      this.expect('(')
      return { is: 'in', value, items: this.list() }
    }
    return this.word('like') ? { is: 'like', value, pattern: this.sum() } : undefined
  }

  private list(): Expression[] {
    const items: Expression[] = []
    if (this.word(')')) return items
    do items.push(this.or())
    while (this.word(','))
    this.expect(')')
    return items
  }

  private sum(): Expression {
    let left = this.product()
    for (let by = this.word('+', '-'); by; by = this.word('+', '-'))
      left = { is: 'math', by: by as '+' | '-', left, right: this.product() }
    return left
  }

  private product(): Expression {
    let left = this.unary()
    for (let by = this.word('mul', 'div', 'mod'); by; by = this.word('mul', 'div', 'mod'))
      left = { is: 'math', by: by as 'mul' | 'div' | 'mod', left, right: this.unary() }
    return left
  }

  private unary(): Expression {
    if (this.word('-')) return { is: 'minus', value: this.unary() }
    if (this.word('not')) return { is: 'not', value: this.unary() }
    return this.primary()
  }

  private primary(): Expression {
    if (this.word('(')) {
      const inner = this.or()
      this.expect(')')
      return inner
    }
    const { type, text } = this.token
    if (type === 'end' || type === 'sign' || (type === 'word' && reserved.has(text.toLowerCase())))
      throw this.unexpected()
    this.position++
    if (type === 'text') return { is: 'literal', value: text }
    if (type === 'number') return { is: 'literal', value: Number(text) }
    if (type === 'date') return { is: 'literal', value: this.date(text), instant: true }
    return this.name(text)
  }

  private date(text: string): number {
    const date = parseDate(text)
    if (date === undefined) throw badWhere(`'${text}' is not a date.`)
    return date
  }

  private name(text: string): Expression {
    const lower = text.toLowerCase()
    if (lower === 'true' || lower === 'false') return { is: 'literal', value: lower === 'true' }
    if (lower === 'null') return { is: 'literal', value: null }
    if (this.word('(')) return { is: 'call', name: lower, items: this.list() }
    if (lower === 'currenttimestamp') return { is: 'call', name: lower, items: [] }
    const path = [text]
    while (this.word('.')) {
      if (this.token.type !== 'word') throw this.unexpected()
      path.push(this.token.text)
      this.position++
    }
    return { is: 'path', path }
  }
}

export const parseWhere = (source: string): Expression => new Parser(source).parse()

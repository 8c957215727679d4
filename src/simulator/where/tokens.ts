import { Refusal } from '../diagnosis.ts'

export type Token = { type: 'text' | 'number' | 'date' | 'word' | 'sign' | 'end'; text: string; at: number }

const pattern = /\s+|'(?:[^']|'')*'|"(?:[^"]|"")*"|@[^@]*@|\d+(?:\.\d+)?|[$\p{L}_][\p{L}\p{N}_$]*|[(),.+=-]/uy

export const badWhere = (message: string): Refusal => new Refusal(400, 'BadWhereSyntax', message)

const unquote = (text: string): string => {
  const quote = text[0] as string
  return text.slice(1, -1).replaceAll(quote + quote, quote)
}

const tokenOf = (text: string, at: number): Token => {
  const head = text[0] as string
  if (head === "'" || head === '"') return { type: 'text', text: unquote(text), at }
  if (head === '@') return { type: 'date', text: text.slice(1, -1), at }
  if (/\d/.test(head)) return { type: 'number', text, at }
  return { type: /[(),.+=-]/.test(head) ? 'sign' : 'word', text, at }
}

export const tokenize = (source: string): Token[] => {
  const tokens: Token[] = []
  pattern.lastIndex = 0
  while (pattern.lastIndex < source.length) {
    const at = pattern.lastIndex
    const text = pattern.exec(source)?.[0]
    if (text === undefined)
      throw badWhere(`Unexpected character '${source[at]}' at position ${at + 1} of the where clause.`)
    if (text.trim() !== '') tokens.push(tokenOf(text, at))
  }
  return [...tokens, { type: 'end', text: '', at: source.length }]
}

import { Refusal } from '../diagnosis.ts'
import { parseWhere, type Expression } from '../where/parser.ts'
import type { Order } from './sort.ts'

export type Arguments = {
  where: Expression | undefined
  order: Order[]
  select: string[][] | undefined
  include: string[][]
  startIndex: number
  count: number | undefined
  precedence: number | undefined
  compact: boolean
  json: boolean
}

const bad = (message: string): Refusal => new Refusal(400, 'BadQueryParameter', message)

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Refusal(400, 'BadUrlSyntax', `The URL holds a broken percent sequence.`)
  }
}

/** Names in lower case. A plus sign stays a plus sign: this server does not read it as a blank. */
export const parseQuery = (query: string): Map<string, string> =>
  new Map(
    query
      .split('&')
      .filter((part) => part !== '')
      .map((part) => {
        const at = part.includes('=') ? part.indexOf('=') : part.length
        return [decode(part.slice(0, at)).toLowerCase(), decode(part.slice(at + 1))]
      }),
  )

const paths = (list: string): string[][] =>
  list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map((item) => item.split('/'))

const whole = (query: Map<string, string>, name: string): number | undefined => {
  const text = query.get(name)
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw bad(`'${text}' is not valid for ${name}.`)
  return Number(text)
}

const parseOrder = (text: string): Order[] =>
  text
    .split(',')
    .filter((item) => item.trim() !== '')
    .map((item) => {
      const match = /^\s*([$\w]+(?:\.[$\w]+)*)(?:\s+(asc|desc))?\s*$/i.exec(item)
      if (match === null) throw bad(`'${item.trim()}' is not valid for orderby.`)
      return { path: String(match[1]).split('.'), descending: match[2]?.toLowerCase() === 'desc' }
    })

export const readArguments = (query: Map<string, string>): Arguments => {
  const where = query.get('where')
  const select = query.get('select')
  return {
    where: where === undefined || where.trim() === '' ? undefined : parseWhere(where),
    order: parseOrder(query.get('orderby') ?? ''),
    select: select === undefined || select.trim() === '' ? undefined : paths(select),
    include: paths(query.get('include') ?? ''),
    startIndex: Math.max(1, whole(query, 'startindex') ?? 1),
    count: whole(query, 'count'),
    precedence: whole(query, 'precedence'),
    compact: query.get('_compact')?.toLowerCase() === 'true',
    json: query.get('format')?.toLowerCase() === 'json',
  }
}

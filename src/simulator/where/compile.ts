import type { Value } from '../model.ts'
import { functions } from './functions.ts'
import { compareWith, compileComparison } from './compare.ts'
import { compileMath } from './math.ts'
import type { Expression } from './parser.ts'
import { badWhere } from './tokens.ts'

export type Reader<Row> = (row: Row) => Value

/** What the compiler must know of the rows: how to read a path, and how texts are compared. */
export type Scope<Row> = {
  read(path: string[]): Reader<Row>
  fold: (text: string) => string
  now: () => number
}

const likePattern = (pattern: string, flags: string): RegExp =>
  new RegExp(
    `^${pattern
      .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll('%', '[^]*')
      .replaceAll('_', '[^]')}$`,
    flags,
  )

/** SQL's logic: a comparison with null is neither true nor false. Conditions give true, false or null. */
export const compile = <Row>(expression: Expression, scope: Scope<Row>): Reader<Row> => {
  const order = compareWith(scope.fold)
  const flags = scope.fold('a') === scope.fold('A') ? 'iu' : 'u'
  const go = (node: Expression): Reader<Row> => compile(node, scope)

  switch (expression.is) {
    case 'literal': {
      const { value } = expression
      return () => value
    }
    case 'path':
      return scope.read(expression.path)
    case 'call': {
      const operation = functions[expression.name]
      if (operation === undefined) throw badWhere(`The function '${expression.name}' is not supported.`)
      const items = expression.items.map(go)
      return (row) => {
        const values = items.map((item) => item(row))
        return values.includes(null) ? null : operation(values, scope.now())
      }
    }
    case 'compare':
      return compileComparison(expression, go, order, scope.fold)
    case 'between': {
      const [value, low, high] = [go(expression.value), go(expression.low), go(expression.high)]
      return (row) => {
        const [below, above] = [order(value(row), low(row)), order(value(row), high(row))]
        return below === null || above === null ? null : below >= 0 && above <= 0
      }
    }
    case 'in': {
      const value = go(expression.value)
      if (expression.items.every((item) => item.is === 'literal' && typeof item.value === 'string')) {
        const texts = new Set(expression.items.map((item) => scope.fold(String((item as { value: Value }).value))))
        return (row) => {
          const found = value(row)
          return found === null ? null : texts.has(scope.fold(String(found)))
        }
      }
      const items = expression.items.map(go)
      return (row) => {
        const found = value(row)
        const matches = new Set(items.map((item) => order(found, item(row))))
        return matches.has(0) ? true : matches.has(null) ? null : false
      }
    }
    case 'like': {
      const [value, pattern] = [go(expression.value), go(expression.pattern)]
      const fixed =
        expression.pattern.is === 'literal' ? likePattern(String(expression.pattern.value), flags) : undefined
      return (row) => {
        const [found, like] = [value(row), pattern(row)]
        return found === null || like === null ? null : (fixed ?? likePattern(String(like), flags)).test(String(found))
      }
    }
    case 'and': {
      const [left, right] = [go(expression.left), go(expression.right)]
      return (row) => {
        const first = left(row)
        if (first === false) return false
        const second = right(row)
        return second === false ? false : first === null || second === null ? null : true
      }
    }
    case 'or': {
      const [left, right] = [go(expression.left), go(expression.right)]
      return (row) => {
        const first = left(row)
        if (first === true) return true
        const second = right(row)
        return second === true ? true : first === null || second === null ? null : false
      }
    }
    case 'not': {
      const value = go(expression.value)
      return (row) => {
        const found = value(row)
        return found === null ? null : found !== true
      }
    }
    case 'minus': {
      const value = go(expression.value)
      return (row) => {
        const found = value(row)
        return found === null ? null : -Number(found)
      }
    }
    default:
      return compileMath(expression, go)
  }
}

import { parseDate } from '../dates.ts'
import type { Value } from '../model.ts'
import type { Reader } from './compile.ts'
import type { Comparison, Expression } from './parser.ts'

const sides = (left: Value, right: Value): [Value, Value] => {
  if (typeof left === typeof right) return [left, right]
  if (typeof left === 'string' && typeof right !== 'string') {
    const [other, text] = sides(right, left)
    return [text, other]
  }
  if (typeof right !== 'string') return [Number(left), Number(right)]
  if (typeof left === 'boolean') return [left, /^(?:t|true|y|1)$/i.test(right.trim())]
  const number = right.trim() === '' ? Number.NaN : Number(right)
  return [left, Number.isNaN(number) ? (parseDate(right) ?? null) : number]
}

const orders: Record<Comparison, (order: number) => boolean> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
}

export const compareWith =
  (fold: (text: string) => string) =>
  (a: Value, b: Value): number | null => {
    if (a === null || b === null) return null
    const [left, right] = sides(a, b)
    if (left === null || right === null) return null
    const [x, y] = typeof left === 'string' ? [fold(left), fold(right as string)] : [left, right]
    return x === y ? 0 : x < y ? -1 : 1
  }

export const compileComparison = <Row>(
  { by, left, right }: Expression & { is: 'compare' },
  go: (node: Expression) => Reader<Row>,
  order: (a: Value, b: Value) => number | null,
  fold: (text: string) => string,
): Reader<Row> => {
  const [a, b] = [go(left), go(right)]
  const isNull = (node: Expression): boolean => node.is === 'literal' && node.value === null
  if (isNull(left) || isNull(right)) {
    const value = isNull(left) ? b : a
    if (by === 'eq') return (row) => value(row) === null
    return by === 'ne' ? (row) => value(row) !== null : () => null
  }
  if (right.is === 'literal' && typeof right.value === 'string' && by === 'eq') {
    const text = fold(right.value)
    const literal = right.value
    return (row) => {
      const found = a(row)
      if (typeof found === 'string') return fold(found) === text
      const result = order(found, literal)
      return result === null ? null : result === 0
    }
  }
  const holds = orders[by]
  return (row) => {
    const result = order(a(row), b(row))
    return result === null ? null : holds(result)
  }
}

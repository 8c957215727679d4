import type { Reader } from './compile.ts'
import type { Expression } from './parser.ts'

const operators: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  mod: (a, b) => a % b,
}

export const compileMath = <Row>(
  { by, left, right }: Expression & { is: 'math' },
  go: (node: Expression) => Reader<Row>,
): Reader<Row> => {
  const [a, b, operator] = [go(left), go(right), operators[by] as (a: number, b: number) => number]
  return (row) => {
    const [x, y] = [a(row), b(row)]
    if (x === null || y === null) return null
    if (by === '+' && typeof x === 'string' && typeof y === 'string') return x + y
    const result = operator(Number(x), Number(y))
    return Number.isFinite(result) ? result : null
  }
}

import { expect, test } from 'vitest'
import { readCell } from '../../src/domain/cell.ts'

test.each<[string, number | undefined]>([
  ['1.234,5', 1234.5],
  ['1.234', 1234],
  ['1,5', 1.5],
  ['7', 7],
  ['1.5', undefined],
  ['1234.5', undefined],
  ['1.23,4', undefined],
  ['1.5e3', undefined],
])('with decimal commas %s is %s', (text, value) => {
  expect(readCell('number', text, { dates: 'iso', decimal: 'comma' })[0]).toBe(value)
})

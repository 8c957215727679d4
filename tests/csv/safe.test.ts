import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { guard, unguard } from '../../src/csv/safe.ts'

const sly = fc.string({
  unit: fc.constantFrom("'", '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＠', '1', ' ', 'A', '.', '"', '('),
  maxLength: 8,
})

test('every text comes back unchanged', () => {
  fc.assert(
    fc.property(fc.oneof(sly, fc.string({ unit: 'binary' })), (text) => unguard(guard(text)) === text),
    { numRuns: 20_000 },
  )
})

test('nothing that is written begins like a formula, but for plain numbers and phones', () => {
  fc.assert(
    fc.property(sly, (text) => {
      const written = guard(text)
      expect(/^[=@\t\r\n＝＋－＠]/.test(written)).toBe(false)
      if (/^[+-]/.test(written)) expect(written).toMatch(/^([+-]?\d[\d.,]*|\+\d[\d ]*)$/)
    }),
    { numRuns: 20_000 },
  )
})

test.each([
  ['=1+1', "'=1+1"],
  ["=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['＝1+1', "'＝1+1"],
  ["'=1+1", "''=1+1"],
  ['\t=1', "'\t=1"],
  ['+1 555 0100', '+1 555 0100'],
  ['+1-555-0100', "'+1-555-0100"],
  ['-12.5', '-12.5'],
  ['-1+2', "'-1+2"],
  ["O'Neill", "O'Neill"],
  ["'quoted'", "'quoted'"],
  ['', ''],
])('%j is written as %j', (text, written) => {
  expect(guard(text)).toBe(written)
  expect(unguard(written)).toBe(text)
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CrmValue } from '../../src/domain/crm.ts'
import { normaliseEmail } from '../../src/domain/email.ts'
import { truthy } from '../../src/domain/truthy.ts'
import { encoderOf, fitsDouble, guardNumbers, parseValues } from '../../src/domain/values.ts'

const text = fc.string({ unit: 'grapheme' })
const value: fc.Arbitrary<CrmValue> = fc.oneof(
  text,
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
)
const plan = [
  ['Email', 'c1'],
  ['CBudget', 'c8'],
  ['Notes', 'c9'],
] as const

describe('R8: values as they are stored', () => {
  test('come back as they went in; absent stays absent, blank stays null', () => {
    const partial = fc.record({ Email: value, CBudget: value, Notes: value }, { requiredKeys: [] })
    fc.assert(
      fc.property(partial, (values) => {
        const read = parseValues(encoderOf(plan)(values))
        for (const [name, key] of plan) {
          expect(key in read).toBe(name in values)
          // JSON knows no negative zero
          if (name in values) expect(read[key]).toEqual(Object.is(values[name], -0) ? 0 : values[name])
        }
      }),
    )
  })

  test('a decimal that a double cannot hold keeps every digit', () => {
    const digits = fc.stringMatching(/^[1-9]\d{15,30}\.\d{0,9}[1-9]$/)
    fc.assert(
      fc.property(digits, (bigDecimal) => {
        const json = encoderOf(plan)({ CBudget: { bigDecimal } })
        expect(json).toBe(`{"c8":${bigDecimal}}`)
        expect(String(parseValues(json)['c8'])).toBe(bigDecimal)
      }),
    )
  })

  test('numerals inside of text are never touched', () => {
    const json = JSON.stringify({ c9: 'call 12345678901234567890.12 "now" \\ 99999999999999999999' })
    expect(guardNumbers(json, () => 'changed')).toBe(json)
  })

  test.each([
    ['12345678901234567.89', false],
    ['0.1', true],
    ['1e400', false],
    ['100000000000000000000', true],
    ['9007199254740993', false],
    ['-0.50', true],
  ])('a double holds %s: %s', (numeral, fits) => {
    expect(fitsDouble(numeral)).toBe(fits)
  })
})

describe('R2: an address is compared trimmed, composed and in lower case', () => {
  test('spelling does not matter, and normalising twice changes nothing', () => {
    fc.assert(
      fc.property(text, fc.constantFrom('', ' ', '\t', '\u00a0'), (email, blank) => {
        const normal = normaliseEmail(email)
        expect(normaliseEmail(`${blank}${email.toUpperCase().normalize('NFD')}${blank}`)).toBe(
          normaliseEmail(email.toUpperCase()),
        )
        expect(normaliseEmail(normal)).toBe(normal)
      }),
    )
  })

  test.each([
    [' Jo@Example.COM ', 'jo@example.com'],
    ['Ju\u0308rgen@example.com', 'jürgen@example.com'],
    ['   ', null],
    [null, null],
    [7, null],
  ])('%j is compared as %j', (email, normal) => {
    expect(normaliseEmail(email)).toBe(normal)
  })
})

test.each([
  [true, true],
  ['T', true],
  ['t', true],
  ['TRUE', true],
  ['Y', true],
  ['1', true],
  [1, true],
  [' y ', true],
  [false, false],
  ['F', false],
  ['N', false],
  [0, false],
  ['', false],
  [null, false],
  [undefined, false],
])('R10: %j is true: %s', (given, expected) => {
  expect(truthy(given)).toBe(expected)
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../src/sdata/http/json.ts'
import { createPlan } from '../../src/sdata/values/plan.ts'
import { isoOf } from '../../src/sdata/values/iso.ts'
import { readDate, readInstant } from '../../src/sdata/values/time.ts'
import { readerOf } from '../../src/sdata/values/value.ts'
import { field } from './support.ts'

describe('R8: numbers keep their decimals', () => {
  test('a numeral that a double cannot hold survives with all its digits', () => {
    const json = parseJson(
      '{"a":12345678901234567.89,"b":601069883.0,"c":-0.10000000000000000001,"d":"12345678901234567.89"}',
    )
    expect(json).toEqual({
      a: { bigDecimal: '12345678901234567.89' },
      b: 601069883,
      c: { bigDecimal: '-0.10000000000000000001' },
      d: '12345678901234567.89',
    })
  })

  test('any JSON with any strings around comes through as JSON.parse reads it, long numerals as text', () => {
    const numeral = fc
      .tuple(
        fc.boolean(),
        fc.bigInt({ min: 0n, max: 10n ** 30n }),
        fc.option(fc.stringMatching(/^\d{1,12}$/), { nil: null }),
      )
      .map(([minus, whole, fraction]) => `${minus ? '-' : ''}${whole}${fraction === null ? '' : `.${fraction}`}`)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: 'binary' }), numeral, fc.jsonValue()), { maxLength: 5 }),
        (entries) => {
          const text = `[${entries.map(([s, n, v]) => `[${JSON.stringify(s)},${n},${JSON.stringify(v)},"${n}"]`).join(',')}]`
          const parsed = parseJson(text) as [string, number | { bigDecimal: string }, unknown, string][]
          entries.forEach(([s, n], at) => {
            const [string, number, , quoted] = parsed[at]!
            expect(string).toBe(JSON.parse(JSON.stringify(s)))
            expect(quoted).toBe(n)
            if (typeof number === 'number') expect(number).toBe(Number(n))
            else expect(number.bigDecimal).toBe(n)
          })
        },
      ),
    )
  })

  test('numbers written as text are read, other text is not', () => {
    const read = readerOf('CScore', 'number')
    expect(read('99.95')).toBe(99.95)
    expect(read('12345678901234567.89')).toEqual({ bigDecimal: '12345678901234567.89' })
    expect(read('')).toBeNull()
    expect(read(null)).toBeNull()
    expect(read('1,5')).toBeUndefined()
    expect(read('n/a')).toBeUndefined()
    expect(read(true)).toBeUndefined()
  })
})

describe('R8: dates', () => {
  test.each([
    ['/Date(1355868699529)/', '2012-12-18T22:11:39.529Z'],
    ['/Date(1355868699529+0200)/', '2012-12-18T22:11:39.529Z'],
    ['/Date(-86400000)/', '1969-12-31T00:00:00.000Z'],
    ['2026-11-23T10:00:00Z', '2026-11-23T10:00:00.000Z'],
    ['2026-11-23T10:00:00', '2026-11-23T10:00:00.000Z'],
    ['2026-11-23T10:00:00+02:00', '2026-11-23T08:00:00.000Z'],
    ['2026-11-23T10:00:00.1234567-0130', '2026-11-23T11:30:00.123Z'],
    ['2026-11-23', '2026-11-23'],
  ])('the instant %s is %s', (text, expected) => {
    expect(readInstant(text)).toBe(expected)
  })

  test.each([
    [`/Date(${Date.UTC(1980, 1, 29)})/`, '1980-02-29'],
    [`/Date(${Date.UTC(1980, 1, 29, 0, 0, 5)})/`, '1980-02-29'],
    [`/Date(${Date.UTC(1980, 1, 29, 0, 0, 5)}-0800)/`, '1980-02-29'],
    [`/Date(${Date.UTC(1980, 1, 28, 23)}+0100)/`, '1980-02-29'],
    ['1980-02-29T00:00:05Z', '1980-02-29'],
    ['1980-02-29T00:00:00+13:00', '1980-02-29'],
    ['1980-02-29T00:00:00', '1980-02-29'],
    ['1980-02-29', '1980-02-29'],
  ])('the date without time %s is %s and never shifts', (text, expected) => {
    expect(readDate(text)).toBe(expected)
  })

  test.each([
    '',
    'yesterday',
    '2026-02-30T00:00:00Z',
    '2026-13-01',
    '2026-11-23T25:00:00Z',
    '/Date(x)/',
    '/Date(99999999999999999)/',
    '11/23/2026',
    '1',
  ])('%j cannot be read', (text) => {
    expect(readInstant(text)).toBeUndefined()
    expect(readDate(text)).toBeUndefined()
  })

  test('the empty date of .NET is blank, never year 1', () => {
    expect(readInstant('/Date(-62135596800000)/')).toBeNull()
    expect(readInstant('0001-01-01T00:00:00')).toBeNull()
    expect(readDate('0001-01-01T00:00:00Z')).toBeNull()
  })

  test('every moment comes back from every way of writing it', () => {
    const offset = fc.integer({ min: -12 * 4, max: 14 * 4 }).map((quarters) => quarters * 15)
    const moment = fc.integer({ min: Date.UTC(1753, 0, 1), max: Date.UTC(9999, 11, 30) })
    const pad = (n: number): string => String(Math.abs(n)).padStart(2, '0')
    fc.assert(
      fc.property(moment, offset, (ms, minutes) => {
        const sign = minutes < 0 ? '-' : '+'
        const zone = `${sign}${pad(Math.trunc(minutes / 60))}${pad(minutes % 60)}`
        const iso = new Date(ms).toISOString()
        const local = new Date(ms + minutes * 60_000).toISOString().slice(0, -1)
        for (const text of [
          `/Date(${ms})/`,
          `/Date(${ms}${zone})/`,
          iso,
          iso.slice(0, -1),
          `${local}${zone.slice(0, 3)}:${zone.slice(3)}`,
        ])
          expect(readInstant(text)).toBe(iso)
      }),
    )
  })

  test('any day stays that day, whichever convention a server uses for midnight', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(1753, 0, 1) / 86_400_000, max: 100_000 }),
        fc.constantFrom(0, 5000),
        (day, extra) => {
          const ms = day * 86_400_000
          const expected = new Date(ms).toISOString().slice(0, 10)
          expect(readDate(`/Date(${ms + extra})/`)).toBe(expected)
          expect(readDate(new Date(ms + extra).toISOString())).toBe(expected)
          expect(readDate(expected)).toBe(expected)
        },
      ),
    )
  })
})

test('R10: booleans are read from true/false/T/F/1/0/Y/N in any case; null stays null', () => {
  const read = readerOf('DoNotEmail', 'boolean')
  for (const yes of [true, 'true', 'True', 'T', 't', '1', 1, 'Y', 'y', ' T ']) expect(read(yes)).toBe(true)
  for (const no of [false, 'false', 'FALSE', 'F', 'f', '0', 0, 'N', 'n']) expect(read(no)).toBe(false)
  expect(read(null)).toBeNull()
  expect(read('')).toBeNull()
  for (const other of ['maybe', 2, 'on', {}]) expect(read(other)).toBeUndefined()
})

describe('R8: text', () => {
  const read = readerOf('Notes', 'text')

  test('is kept as it is, but for NUL and halves of surrogate pairs', () => {
    expect(read(' two  spaces\r\n\ttab ')).toBe(' two  spaces\r\n\ttab ')
    expect(read('a\u0000b')).toBe('ab')
    expect(read('half \ud83d!')).toBe('half \ufffd!')
    expect(read('whole 🚀')).toBe('whole 🚀')
  })

  test('is blank when it is empty, and never “null” or “[object Object]”', () => {
    expect(read('')).toBeNull()
    expect(read('\u0000')).toBeNull()
    expect(read(null)).toBeNull()
    expect(read({ $key: 'X' })).toBeUndefined()
    expect(read(12.5)).toBe('12.5')
  })

  test('ids lose their padding', () => {
    expect(readerOf('Id', 'text')('ADMIN       ')).toBe('ADMIN')
    expect(readerOf('ModifyUser', 'text')('ADMIN       ')).toBe('ADMIN')
    expect(readerOf('LastName', 'text')(' Hogan ')).toBe(' Hogan ')
  })
})

describe('rows', () => {
  test('absent, blank and present stay three things (R8)', () => {
    const plan = createPlan([field('Title'), field('Fax'), field('Mobile')])
    expect(plan.read({ $key: 'Q1', Title: 'CEO', Fax: null })).toEqual({ Title: 'CEO', Fax: null })
    expect(plan.absent()).toEqual(['Mobile'])
  })

  test('properties are found in the server’s spelling and named canonically', () => {
    const plan = createPlan([field('DoNotFax', 'boolean'), field('Address/City'), field('Email')])
    expect(plan.read({ DoNotFAX: 'T', address: { $key: 'A1', CITY: 'Bonn' }, EMAIL: 'a@b.example' })).toEqual({
      DoNotFax: true,
      'Address/City': 'Bonn',
      Email: 'a@b.example',
    })
    expect(plan.read({ DoNotFAX: 'F', address: { CITY: 'Ulm' } })).toEqual({ DoNotFax: false, 'Address/City': 'Ulm' })
  })

  test('a null address, or one without a key, is blank; a mere link is absent', () => {
    const plan = createPlan([field('Address/City')])
    expect(plan.read({ Address: null })).toEqual({ 'Address/City': null })
    expect(plan.read({ Address: {} })).toEqual({ 'Address/City': null })
    expect(plan.read({ Address: { $url: 'http://x/', $key: '' } })).toEqual({ 'Address/City': null })
    expect(plan.read({ Address: { $key: 'A1', $url: 'http://x/' } })).toEqual({})
    expect(plan.read({})).toEqual({})
  })

  test('a value that cannot be read is left out and counted', () => {
    const plan = createPlan([field('CreateDate', 'instant')])
    expect(plan.read({ CreateDate: 'soon' })).toEqual({})
    expect(plan.unreadable()).toEqual([['CreateDate', 1]])
  })

  test('stored codes become the text of their picklist item, unknown ones pass through', () => {
    const plan = createPlan([field('CSegment', 'picklist')], new Map([['CSegment', new Map([['A', 'Top customers']])]]))
    expect(plan.read({ CSegment: 'A' })).toEqual({ CSegment: 'Top customers' })
    expect(plan.read({ CSegment: 'Z' })).toEqual({ CSegment: 'Z' })
    expect(plan.read({ CSegment: 'A, A' })).toEqual({ CSegment: 'Top customers, Top customers' })
    expect(plan.read({ CSegment: 'A, Z' })).toEqual({ CSegment: 'A, Z' })
  })
})

test('an instant is written as JavaScript writes it, whatever it is', () => {
  const range = { min: Date.UTC(1000, 0, 1), max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) }
  fc.assert(
    fc.property(fc.integer(range), (ms) => {
      expect(isoOf(ms)).toBe(new Date(ms).toISOString())
    }),
    { examples: [[0], [-1], [-62_135_596_800], [Date.UTC(2024, 1, 29, 23, 59, 59, 999)]] },
  )
})

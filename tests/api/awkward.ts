import * as fc from 'fast-check'
import type { FieldType } from '../../src/domain/crm.ts'

/** Columns of every type beside those that each list has. */
export const types = {
  c8: ['Title', 'text', 'Title'],
  c9: ['Score', 'number', 'Score'],
  c10: ['Wants mail', 'boolean', 'DoNotEmail'],
  c11: ['Birthday', 'date', 'Birthday'],
  c12: ['Created', 'instant', 'CreateDate'],
  c13: ['Phone', 'phone', 'WorkPhone'],
  c14: ['Status', 'picklist', 'Status'],
  c15: ['City', 'text', 'Address/City'],
} satisfies Record<string, [string, FieldType, string]>

/** Values of every type, blanks of every kind, and some that do not fit their column. */
export const pools: Record<string, unknown[]> = {
  c1: ['pat@example.com', ' PAT@Example.com', 'kim@example.org', 'nobody', null, '', 'a_b%c\\d@example.com'],
  c2: ['Pat', 'pat', 'Ágnes', 'ÁGNES', 'İdil', null],
  c3: ['Miller', 'miller', 'Müller', 'MÜLLER', "O'Neill", 'Straße', '100%', 'a_b', 'back\\slash', null, ''],
  c8: ['CEO', 'ceo', 'C_O', '', null, 5, true, 'x'.repeat(300)],
  c9: [0, 1, -1, 1.5, 10, 99_000, 0.1, null, '', 'seven', true, 1e21, '12345678901234567.89'],
  c10: [true, false, null, 'true', 1],
  c11: ['2026-01-31', '1999-12-31', '2026-02-01', null, ''],
  c12: ['2026-01-31T10:00:00.000Z', '2026-01-31T10:00:00.001Z', '1999-12-31T23:59:59.999Z', null],
  c13: ['+1 555 0100', '0100', null],
  c14: ['Hot', 'hot', 'Cold', null],
}

/** Every value with every other in turn, and absent where a pool has run out. */
export const crossed = (count: number): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, index) =>
    Object.fromEntries(
      Object.entries(pools).flatMap(([key, pool], place) => {
        const value = pool[Math.floor(index / (place + 1)) % (pool.length + 1)]
        return value === undefined ? [] : [[key, value]]
      }),
    ),
  )

const dates = (from: string, to: string) =>
  fc.date({ min: new Date(from), max: new Date(to), noInvalidDate: true }).map((at) => at.toISOString())
const words = fc.oneof(
  fc.constantFrom(
    'Kelvin',
    'ſtraße',
    'STRASSE',
    'ΣΊΣΥΦΟΣ',
    'σίσυφος',
    'ﬁne',
    'FINE',
    'ǅ',
    'null',
    'true',
    '0',
    ' ',
    '--',
  ),
  fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' }),
)

/** Any value of a type, as a filter or a record can have it. */
export const anyValue = (type: FieldType): fc.Arbitrary<unknown> => {
  if (type === 'number')
    return fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -9, max: 9 }))
  if (type === 'boolean') return fc.boolean()
  const [early, late] = ['0001-01-01T00:00:00Z', '9998-12-31T00:00:00Z']
  const near = dates('2025-11-01T00:00:00Z', '2026-12-31T00:00:00Z')
  if (type === 'instant') return fc.oneof(dates(early, late), near)
  if (type === 'date') return fc.oneof(dates(early, late), near).map((at) => at.slice(0, 10))
  return words
}

/** Random values for every column, the same ones for one seed. */
export const randomFields = (count: number, seed: number): Record<string, unknown>[] => {
  const value = (type: FieldType) =>
    fc.option(fc.oneof({ weight: 9, arbitrary: anyValue(type) }, fc.constant('')), { nil: null })
  const email = fc.oneof(fc.emailAddress(), fc.constantFrom('Pat@Example.com', 'x@y', 'ÄÖ@example.com', null))
  const columns = Object.entries(types).map(([key, [, type]]) => [key, value(type)] as const)
  const person = fc.record(
    { c1: email, c2: value('text'), c3: value('text'), ...Object.fromEntries(columns) },
    { requiredKeys: ['c1'], noNullPrototype: true },
  )
  return fc.sample(person, { numRuns: count, seed })
}

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CrmValue, FieldType } from '../../src/domain/crm.ts'
import { applyEdits, createReader, labelsOf, nameOf, type RecordColumn } from '../../src/domain/record.ts'
import type { AgreedValues } from '../../src/domain/sync.ts'

const column = (key: string, name: string, type: FieldType, crmField: string | null = null): RecordColumn => ({
  id: `id-${key}`,
  key,
  name,
  type,
  crmField,
  system: false,
})

const columns: RecordColumn[] = [
  column('c1', 'E-mail', 'text', 'Email'),
  column('c2', 'First name', 'text', 'FirstName'),
  column('c3', 'Last name', 'text', 'LastName'),
  { ...column('c4', 'Created', 'instant', 'CreateDate'), system: true },
  column('c6', 'No mail', 'boolean', 'DoNotEmail'),
  column('c8', 'Work phone', 'phone', 'WorkPhone'),
  column('c9', 'Budget', 'number', 'CBudget'),
  column('c10', 'VIP', 'boolean'),
  column('c11', 'Birthday', 'date'),
  column('c12', 'Seen', 'instant'),
  column('c13', 'Second e-mail', 'email'),
  column('c14', 'Status', 'picklist'),
  column('c15', 'Note', 'text'),
]
const read = createReader(columns)

const valueOf = (name: string, value: unknown): unknown => {
  const { values, troubles } = read({ fields: { [name]: value } })
  return troubles.length > 0 ? 'refused' : Object.values(values)[0]
}

describe('R8, R10: values by the type of their column', () => {
  test.each<[string, unknown, unknown]>([
    ['Budget', 12.5, 12.5],
    ['Budget', -0, 0],
    ['Budget', '12.50', 12.5],
    ['Budget', '+007', 7],
    ['Budget', '-0.0', 0],
    ['Budget', '12345678901234567.89', { bigDecimal: '12345678901234567.89' }],
    ['Budget', '-0012345678901234567.89', { bigDecimal: '-12345678901234567.89' }],
    ['Budget', { bigDecimal: '0.12345678901234567891' }, { bigDecimal: '0.12345678901234567891' }],
    ['Budget', '', null],
    ['Budget', '1e5', 'refused'],
    ['Budget', '1,5', 'refused'],
    ['Budget', 'seven', 'refused'],
    ['Budget', Infinity, 'refused'],
    ['Budget', true, 'refused'],
    ['Budget', { bigDecimal: 'x' }, 'refused'],
    ['Budget', [1], 'refused'],
    ['VIP', true, true],
    ['VIP', 'T', true],
    ['VIP', ' y ', true],
    ['VIP', 1, true],
    ['VIP', '0', false],
    ['VIP', 'False', false],
    ['VIP', 'N', false],
    ['VIP', null, null],
    ['VIP', '', null],
    ['VIP', 'perhaps', 'refused'],
    ['VIP', 2, 'refused'],
    ['Birthday', '2028-02-29', '2028-02-29'],
    ['Birthday', '2026-02-29', 'refused'],
    ['Birthday', '0001-01-01', 'refused'],
    ['Birthday', '2026-02-03T00:00:00Z', 'refused'],
    ['Seen', '2026-11-23T10:00:00Z', '2026-11-23T10:00:00.000Z'],
    ['Seen', '2026-11-23T10:00:00.1239+02:00', '2026-11-23T08:00:00.123Z'],
    ['Seen', '2026-11-23T10:00+02:00', '2026-11-23T08:00:00.000Z'],
    ['Seen', '2026-11-23', 'refused'],
    ['Seen', '2026-11-23T10:00:00', 'refused'],
    ['Seen', '2026-11-31T10:00:00Z', 'refused'],
    ['Seen', '9999-12-31T23:59:59-05:00', 'refused'],
    ['Second e-mail', '  Pat@Example.com ', 'Pat@Example.com'],
    ['Second e-mail', 'pat@', 'refused'],
    ['Second e-mail', 'pat smith@example.com', 'refused'],
    ['Second e-mail', `${'a'.repeat(310)}@example.com`, 'refused'],
    ['WorkPhone', ' 555 0100', ' 555 0100'],
    ['WorkPhone', 5_550_100, 'refused'],
    ['WorkPhone', '5'.repeat(201), 'refused'],
    ['Status', 'Hot', 'Hot'],
    ['Note', '  \n ', null],
    ['Note', 'x'.repeat(100_000), 'x'.repeat(100_000)],
    ['Note', 'x'.repeat(100_001), 'refused'],
    ['Note', 'a\u0000b', 'refused'],
    ['Note', 'a\ud800b', 'refused'],
    ['Note', 'a👍b', 'a👍b'],
  ])('%s: %j is read as %j', (name, given, expected) => {
    expect(valueOf(name, given)).toEqual(expected)
  })

  test('the address of a record is one whatever the CRM calls its type', () => {
    expect(read({ email: 'nobody' }).troubles).toEqual([
      { code: 'invalidInput', path: 'email', message: expect.stringContaining('pat@example.com') },
    ])
  })

  test('any JSON is either a value of the type or refused, and what was read is read again as itself', () => {
    fc.assert(
      fc.property(fc.constantFrom(...columns.slice(5)), fc.jsonValue({ maxDepth: 1 }), ({ key }, given) => {
        const value = valueOf(key, given)
        fc.pre(value !== 'refused')
        expect(valueOf(key, value)).toEqual(value)
      }),
      { numRuns: 500 },
    )
  })
})

describe('names', () => {
  test('a column goes by CRM field, name and key, in any case', () => {
    for (const name of ['WorkPhone', 'workphone', 'WORK PHONE', 'c8', 'C8']) expect(valueOf(name, '1')).toBe('1')
    expect(read({ fields: { EMAIL: 'pat@example.com' } }).values).toEqual({ c1: 'pat@example.com' })
  })

  test('an unknown one, one given twice and a read-only one are refused by name', () => {
    const { troubles } = read({
      email: 'a@example.com',
      fields: { Email: 'b@example.com', Nothing: 1, WorkPhone: '1', c8: '2', CreateDate: null, doNotEmail: true },
    })
    expect(troubles).toEqual([
      { code: 'invalidInput', path: 'fields.Email', message: 'This column is given twice.' },
      { code: 'invalidInput', path: 'fields.Nothing', message: 'The list has no such column.' },
      { code: 'invalidInput', path: 'fields.c8', message: 'This column is given twice.' },
      { code: 'fieldReadOnly', path: 'fields.CreateDate', message: expect.stringContaining('CRM') },
      { code: 'fieldReadOnly', path: 'fields.doNotEmail', message: expect.stringContaining('suppressions') },
    ])
  })

  const word = fc.constantFrom('Title', 'title', 'TITLE', 'c9', 'C10', 'Email', 'City', 'constructor', 'toString')
  const anyColumns = fc
    .uniqueArray(fc.record({ key: fc.integer({ min: 8, max: 20 }), name: word, crm: fc.boolean() }), {
      selector: ({ key }) => key,
    })
    .map((rows) => {
      const fields = new Set<string>()
      return [
        ...columns.slice(0, 3),
        ...rows.map(({ key, name, crm }) => {
          const isBound = crm && !fields.has(name.toLowerCase())
          fields.add(name.toLowerCase())
          return column(`c${key}`, name, 'text', isBound ? name : null)
        }),
      ]
    })

  test('whatever the columns are called, each name that a record shows leads back to its column', () => {
    fc.assert(
      fc.property(anyColumns, (some) => {
        const labels = labelsOf(some)
        expect([...labels.keys()]).toEqual(some.slice(3).map(({ key }) => key))
        expect(new Set([...labels.values()].map((label) => label.toLowerCase())).size).toBe(labels.size)
        const reader = createReader(some)
        for (const { key } of some) {
          const name = nameOf(labels, key)
          const input = ['c1', 'c2', 'c3'].includes(key)
            ? { [name]: 'a@b' }
            : { fields: { [name.toUpperCase()]: 'a@b' } }
          expect(reader(input)).toEqual({ values: { [key]: 'a@b' }, troubles: [] })
        }
      }),
    )
  })
})

describe('what both sides agreed on', () => {
  const at = '2026-11-23T10:00:00.000Z'
  const then = '2026-01-01T00:00:00.000Z'
  const bound = new Set(['c8', 'c9'])
  type Case = [
    what: string,
    fields: Record<string, CrmValue>,
    agreed: AgreedValues,
    edits: Record<string, CrmValue>,
    patch: Record<string, CrmValue>,
    after: AgreedValues,
  ]

  test.each<Case>([
    ['an edit notes the value before', { c8: 'a' }, {}, { c8: 'b' }, { c8: 'b' }, { c8: { v: 'a', at } }],
    ['a blank one too', { c8: null }, {}, { c8: 'b' }, { c8: 'b' }, { c8: { v: null, at } }],
    ['an absent one has none', {}, {}, { c8: 'b' }, { c8: 'b' }, { c8: { at } }],
    ['an equal value is no edit', { c8: 'a' }, {}, { c8: 'a' }, {}, {}],
    ['blank is not absent', {}, {}, { c8: null }, { c8: null }, { c8: { at } }],
    [
      'a zero at the end of a decimal is no edit',
      { c9: { bigDecimal: '12345678901234567.890' } },
      {},
      { c9: { bigDecimal: '12345678901234567.89' } },
      {},
      {},
    ],
    [
      'a decimal keeps its digits',
      { c9: { bigDecimal: '12345678901234567.89' } },
      {},
      { c9: 1 },
      { c9: 1 },
      { c9: { v: { bigDecimal: '12345678901234567.89' }, at } },
    ],
    [
      'a second edit keeps the value and renews the time',
      { c8: 'b' },
      { c8: { v: 'a', at: then } },
      { c8: 'c' },
      { c8: 'c' },
      { c8: { v: 'a', at } },
    ],
    ['going back is no longer pending', { c8: 'b' }, { c8: { v: 'a', at: then } }, { c8: 'a' }, { c8: 'a' }, {}],
    [
      'what was never compared stays so',
      { c8: 'b' },
      { c8: { n: true, at: then } },
      { c8: 'c' },
      { c8: 'c' },
      { c8: { n: true, at } },
    ],
    ['a column of ours alone is never pending', { c15: 'a' }, {}, { c15: 'b' }, { c15: 'b' }, {}],
    [
      'others are left alone',
      { c8: 'a', c9: 1 },
      { c9: { v: 0, at: then } },
      { c8: 'b' },
      { c8: 'b' },
      { c9: { v: 0, at: then }, c8: { v: 'a', at } },
    ],
  ])('%s', (_, fields, agreed, edits, patch, after) => {
    expect(applyEdits({ fields, agreed }, edits, { linked: true, bound, at })).toEqual({ patch, agreed: after })
    expect(applyEdits({ fields, agreed: {} }, edits, { linked: false, bound, at })).toEqual({ patch, agreed: {} })
  })
})

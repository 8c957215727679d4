import { array, assert, constantFrom, property, record, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CrmField } from '../../src/domain/crm.ts'
import { isFairleadError } from '../../src/domain/errors.ts'
import {
  isAddressName,
  leftOut,
  proposalOf,
  readStandardFields,
  recogniser,
  usages,
  wordOf,
  type AskedField,
  type StandardField,
} from '../../src/domain/standardField.ts'

const crm = (name: string, more: Partial<CrmField> = {}): CrmField => ({
  name,
  label: name,
  type: 'text',
  maxLength: 64,
  custom: false,
  readOnly: false,
  required: false,
  locked: false,
  address: name.startsWith('Address/'),
  picklist: null,
  picklistStorage: null,
  ...more,
})
const live = {
  lead: [crm('Title'), crm('Address/City'), crm('Address/Address1'), crm('Address/LeadCtyStZip', { readOnly: true })],
  contact: [crm('Title'), crm('Address/City'), crm('Address/CRegion', { custom: true })],
}
const asked = (name: string, more: Partial<AskedField> = {}): AskedField => ({
  id: null,
  name,
  aliases: [],
  systemUsage: null,
  leadField: null,
  contactField: null,
  ...more,
})
const known = (name: string, more: Partial<StandardField> = {}): StandardField => ({
  ...asked(name, more),
  id: `id of ${name}`,
})

describe('A1: a name is recognised', () => {
  test.for([
    ['Straße', 'STRASSE'],
    ['business_city', 'Business City'],
    ['E-Mail', 'email'],
    ['Ort\u00A0', 'ört'],
    ['İzmir', 'izmir'],
    ['Zip–Code', 'ZIP code'],
  ])('%s is %s', ([a, b]) => expect(wordOf(a!)).toBe(wordOf(b!)))

  test('a word stays what it is, and is the same in any case, with any accent, blank, underscore and hyphen', () => {
    const noise = constantFrom(' ', '_', '-', '\u0301', '\u0308', '\t')
    assert(
      property(string({ unit: 'grapheme', maxLength: 20 }), array(noise, { maxLength: 5 }), (name, more) => {
        const word = wordOf(name)
        expect(wordOf(word)).toBe(word)
        expect(wordOf(name.toUpperCase())).toBe(word)
        expect(wordOf(name.toLowerCase())).toBe(word)
        expect(wordOf(`${name}${more.join('')}`)).toBe(word)
      }),
      { numRuns: 500 },
    )
  })

  test('by name or alias, and the first field wins', () => {
    const find = recogniser([known('City', { aliases: ['Ort'] }), known('Town', { aliases: ['ort', 'Stadt'] })])
    expect([find('ORT')?.name, find('s t a d t')?.name, find('Place')]).toEqual(['City', 'Town', undefined])
  })

  test('no common name is of two system usages, and addresses are known by theirs', () => {
    const words = usages.flatMap(({ label, aliases }) => [label, ...aliases].map(wordOf))
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([])
    expect(['PLZ', 'strasse', 'Postal_Code', 'BUNDESLAND', 'Land', 'Title', 'E-mail'].map(isAddressName)).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
      false,
    ])
  })
})

describe('A2: Optimize', () => {
  test('proposes one standard field for each usage whose field lead or contact has, and stores nothing', () => {
    const { items, notCovered } = proposalOf([], live)
    expect(items).toMatchObject([
      { id: null, name: 'Business Street', systemUsage: 'businessStreet', proposal: 'added' },
      { name: 'Business City', aliases: ['City', 'Town', 'Ort', 'Stadt', 'Wohnort'], leadField: 'Address/City' },
    ])
    expect(notCovered).toEqual([{ entity: 'contact', field: 'Address/CRegion', custom: true }])
  })

  test('never overwrites: a mapping stays, a name without one gets it, and aliases of others are left to them', () => {
    const before = [
      known('Ort', { aliases: ['Stadt'] }),
      known('Street', { contactField: 'Address/CRegion' }),
      known('Hobby', { aliases: ['Anschrift'] }),
    ]
    const { items, notCovered } = proposalOf(before, live)
    expect(items).toMatchObject([
      {
        id: 'id of Ort',
        name: 'Ort',
        proposal: 'completed',
        systemUsage: 'businessCity',
        contactField: 'Address/City',
      },
      { name: 'Street', proposal: 'kept', systemUsage: null, leadField: null, contactField: 'Address/CRegion' },
      { name: 'Hobby', proposal: 'completed', systemUsage: 'businessStreet' },
    ])
    expect(items[0]!.aliases).toEqual(['Stadt', 'Business City', 'City', 'Town', 'Wohnort'])
    expect(items[2]!.aliases).not.toContain('Street')
    expect(notCovered).toEqual([])
  })

  test('what it proposes can be saved as it is, and proposed again it is all kept', () => {
    const names = constantFrom(...usages.flatMap(({ label, aliases }) => [label, ...aliases]), 'Hobby', 'CRegion')
    const usage = constantFrom(null, null, 'businessCity', 'businessZip', 'title')
    const field = record({ name: names, aliases: array(names, { maxLength: 3 }), systemUsage: usage })
    assert(
      property(array(field, { maxLength: 6 }), (fields) => {
        let saved: StandardField[]
        try {
          saved = stored(
            readStandardFields(
              fields.map(({ name, ...more }) => asked(name, more)),
              [],
              live,
            ),
          )
        } catch (error) {
          expect(isFairleadError(error)).toBe(true)
          return
        }
        const { items } = proposalOf(saved, live)
        for (const each of saved)
          if (each.systemUsage !== null) expect(items).toContainEqual({ ...each, proposal: 'kept' })
        const again = stored(readStandardFields(items, saved, live))
        expect(proposalOf(again, live).items.map(({ proposal }) => proposal)).toEqual(again.map(() => 'kept'))
      }),
      { numRuns: 300 },
    )
  })
})

const stored = (read: ReturnType<typeof readStandardFields>): StandardField[] =>
  read.map((field, index) => ({ ...field, id: field.id ?? `id ${index}` }))

describe('a set of standard fields', () => {
  test.for([
    [[asked('City'), asked('Ort', { aliases: ['c i t y'] })], 'nameTaken', 'items[1].aliases[0]'],
    [[asked('City'), asked('CITY')], 'nameTaken', 'items[1].name'],
    [[asked('---')], 'invalidInput', 'items[0].name'],
    [
      [asked('A', { systemUsage: 'title' }), asked('B', { leadField: 'title' })],
      'duplicateField',
      'items[1].leadField',
    ],
    [[asked('A', { leadField: 'Address/CRegion' })], 'unknownField', 'items[0].leadField'],
    [[asked('A', { leadField: 'Address/LeadCtyStZip' })], 'fieldReadOnly', 'items[0].leadField'],
    [[asked('A', { leadField: 'donotemail' })], 'fieldReadOnly', 'items[0].leadField'],
    [[asked('A', { contactField: 'UserPassword' })], 'secretField', 'items[0].contactField'],
    [[asked('A', { id: 'strange' })], 'invalidInput', 'items[0].id'],
  ] as const)('%j is refused with its place', ([items, code, path]) => {
    expect(() => readStandardFields(items, [], live)).toThrow(
      expect.objectContaining({
        code,
        details: expect.objectContaining({ errors: [expect.objectContaining({ path })] }),
      }),
    )
  })

  test('takes the fields of the usage, canonical names by hand, and the stored field of the same name', () => {
    const items = [
      asked('ort', { systemUsage: 'businessCity', leadField: 'Title' }),
      asked('Region', { contactField: 'address/cregion', aliases: ['Gebiet', 'gebiet', 'Region'] }),
    ]
    expect(readStandardFields(items, [known('Ort')], live)).toEqual([
      {
        ...known('ort'),
        id: 'id of Ort',
        systemUsage: 'businessCity',
        leadField: 'Address/City',
        contactField: 'Address/City',
      },
      { ...asked('Region'), aliases: ['Gebiet'], contactField: 'Address/CRegion' },
    ])
  })

  test('keeps a field that the CRM has no more, and knows none when no CRM is connected', () => {
    const before = [known('Old', { leadField: 'Gone' })]
    expect(readStandardFields([asked('Old', { leadField: 'gone' })], before, null)).toMatchObject([
      { leadField: 'Gone' },
    ])
    expect(() => readStandardFields([asked('New', { leadField: 'Title' })], before, null)).toThrow(
      expect.objectContaining({ code: 'notConnected' }),
    )
  })
})

describe('R28: left out are', () => {
  const column = (key: string, name: string, usage: string | null = null, crmField: string | null = null) => ({
    key,
    name,
    type: 'text' as const,
    crmField,
    standard:
      usage === null ? null : { name: 'Field', systemUsage: null, lead: usage === '' ? null : usage, contact: null },
  })
  test('addresses without a mapping, or whose field is gone; what another column is already; nothing else', () => {
    const columns = [
      column('c1', 'E-mail'),
      column('c8', 'Ort'),
      column('c9', 'Hobby'),
      column('c10', 'Town', 'Address/City'),
      column('c11', 'Stadt', 'Address/City'),
      column('c12', 'Shop', 'Address/Gone'),
      column('c13', 'Job', 'Title'),
      column('c14', 'Titel', null, 'Title'),
    ]
    expect(leftOut(columns, live, 'lead')).toEqual([
      { key: 'c8', name: 'Ort', code: 'addressNotMapped' },
      { key: 'c11', name: 'Stadt', code: 'fieldTaken', field: 'Address/City' },
      { key: 'c12', name: 'Shop', code: 'addressNotMapped' },
      { key: 'c13', name: 'Job', code: 'fieldTaken', field: 'Title' },
    ])
  })
  test('a number in a text field of the address, which the CRM would not get', () => {
    expect(leftOut([{ ...column('c8', 'PLZ', 'Address/City'), type: 'number' }], live, 'lead')).toMatchObject([
      { code: 'addressNotMapped' },
    ])
  })
})

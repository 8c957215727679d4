import { describe, expect, test } from 'vitest'
import { columnFinder, counterpartsOf, isPushable, namesOf } from '../../src/domain/counterpart.ts'
import type { CrmEntity, CrmField, FieldType } from '../../src/domain/crm.ts'

const field = (name: string, type: FieldType = 'text', more: Partial<CrmField> = {}): CrmField => ({
  name,
  label: name,
  type,
  maxLength: 64,
  custom: false,
  readOnly: false,
  required: false,
  locked: false,
  address: name.includes('/'),
  picklist: null,
  picklistStorage: null,
  ...more,
})

const live: Record<CrmEntity, CrmField[]> = {
  lead: [
    ...['Email', 'FirstName', 'LastName', 'Company', 'Title', 'TollFree', 'Address/City'].map((name) => field(name)),
    field('DoNotFAX', 'boolean'),
    field('LeadNameLastFirst', 'text', { readOnly: true }),
    field('CScore', 'number'),
    field('Status', 'picklist'),
  ],
  contact: [
    ...['Email', 'FirstName', 'LastName', 'AccountName', 'Title', 'OtherPhone', 'Address/City'].map((name) =>
      field(name),
    ),
    field('DoNotFax', 'boolean'),
    field('NameLF', 'text', { readOnly: true }),
    field('CScore', 'text'),
    field('Status', 'text'),
  ],
}

const column = (key: string, crmField: string | null, type: FieldType = 'text') => ({
  id: `id-${key}`,
  key,
  name: `${crmField ?? 'Own'} as shown`,
  crmField,
  type,
})
const nameOn = (
  own: CrmEntity | null,
  target: CrmEntity,
  crmField: string | null,
  type: FieldType = 'text',
  key = 'c8',
) => counterpartsOf([column(key, crmField, type)], live[target], own, target)[0]?.field?.name ?? null

describe('the field of a column', () => {
  test('on the list’s own entity is the one that it is bound to, in the CRM’s own case', () => {
    expect(nameOn('lead', 'lead', 'title')).toBe('Title')
    expect(nameOn('lead', 'lead', 'Gone')).toBeNull()
    expect(nameOn('lead', 'lead', 'AccountName')).toBeNull()
  })

  test.for<[CrmEntity, CrmEntity, string, string | null, FieldType?]>([
    ['contact', 'lead', 'Title', 'Title'],
    ['contact', 'lead', 'DoNotFax', 'DoNotFAX', 'boolean'],
    ['lead', 'contact', 'DoNotFAX', 'DoNotFax', 'boolean'],
    ['lead', 'contact', 'Address/City', 'Address/City'],
    ['contact', 'lead', 'AccountName', 'Company'],
    ['lead', 'contact', 'Company', 'AccountName'],
    ['lead', 'contact', 'LeadNameLastFirst', 'NameLF'],
    ['contact', 'lead', 'OtherPhone', null],
    ['lead', 'contact', 'TollFree', null],
  ])('on the other entity, of a %s list on a %s: %s is %s', ([own, target, name, other, type = 'text']) => {
    expect(nameOn(own, target, name, type)).toBe(other)
  })

  test('is none where the other entity’s field cannot hold the values', () => {
    expect(nameOn('contact', 'lead', 'CScore', 'text')).toBeNull()
    expect(nameOn('lead', 'contact', 'CScore', 'number')).toBeNull()
    expect(nameOn('lead', 'contact', 'Status', 'picklist')).toBe('Status')
  })

  test('is that of its name on either entity for a plain list; a column of its own has none', () => {
    expect([nameOn(null, 'lead', 'Company'), nameOn(null, 'contact', 'Company')]).toEqual(['Company', 'AccountName'])
    expect([nameOn(null, 'lead', null), nameOn(null, 'contact', null)]).toEqual([null, null])
    expect([nameOn(null, 'lead', null, 'email', 'c1'), nameOn(null, 'contact', null, 'text', 'c3')]).toEqual([
      'Email',
      'LastName',
    ])
  })

  test('R8: of related paths only the address can be written, and nothing that is read-only', () => {
    const pushable = (name: string, readOnly = false) => isPushable({ name, readOnly })
    expect([pushable('Title'), pushable('Address/City'), pushable('address/city')]).toEqual([true, true, true])
    expect([pushable('Account/Industry'), pushable('Title', true), pushable('ShippingAddress/City')]).toEqual([
      false,
      false,
      false,
    ])
  })
})

describe('the name of a column', () => {
  const columns = [
    { ...column('c1', null), name: 'E-mail' },
    column('c2', 'FirstName'),
    column('c3', 'LastName'),
    { ...column('c8', 'Title'), name: 'Job' },
    { ...column('c9', null), name: 'title' },
    { ...column('c10', null), name: 'Hobby' },
    { ...column('c11', null), name: 'hobby' },
    { ...column('c12', 'CRegion'), name: 'Hobby' },
  ]

  test('is its CRM field, else its own name, else its key', () => {
    expect([...namesOf(columns).values()]).toEqual([
      'Email',
      'FirstName',
      'LastName',
      'Title',
      'c9',
      'Hobby',
      'c11',
      'CRegion',
    ])
  })

  test('always finds the column again', () => {
    const find = columnFinder(columns)
    for (const [key, name] of namesOf(columns)) expect([name, find(name)?.key]).toEqual([name, key])
  })

  test('is found in any case; keys and ids count as well', () => {
    const find = columnFinder(columns)
    expect(['email', 'EMAIL', 'TITLE', 'job', 'cregion', 'c9', 'id-c9'].map((said) => find(said)?.key)).toEqual([
      'c1',
      'c1',
      'c8',
      'c8',
      'c12',
      'c9',
      'c9',
    ])
    expect(find('nothing')).toBeUndefined()
  })
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FairleadError } from '../../src/domain/errors.ts'
import { chooseFields } from '../../src/domain/field.ts'
import { fixedColumnKeys, numberedName } from '../../src/domain/list.ts'
import type { CrmField } from '../../src/domain/crm.ts'

const field = (name: string, more: Partial<CrmField> = {}): CrmField => ({
  name,
  label: name,
  type: 'text',
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
const live = [
  'Email',
  'FirstName',
  'LastName',
  'CreateDate',
  'ModifyDate',
  'DoNotEmail',
  'WorkPhone',
  'Address/City',
].map((name) => field(name))
const names = (chosen: readonly { name: string }[]) => chosen.map(({ name }) => name)
const fails = (asked: string[]) => {
  try {
    chooseFields('lead', live, asked)
  } catch (error) {
    return error instanceof FairleadError ? { code: error.code, errors: error.details.errors } : error
  }
  return undefined
}

describe('I3: the columns of an import', () => {
  test('begin with the locked ones and what is always read, where it exists', () => {
    const always = ['Email', 'FirstName', 'LastName', 'CreateDate', 'ModifyDate', 'DoNotEmail']
    expect(names(chooseFields('lead', live, []))).toEqual(always)
    expect(names(chooseFields('lead', live, ['workphone', 'ADDRESS/CITY']))).toEqual([
      ...always,
      'WorkPhone',
      'Address/City',
    ])
  })

  test('hold the locked ones even where the CRM does not describe them', () => {
    expect(chooseFields('lead', [], [])).toMatchObject([
      { name: 'Email', type: 'email', locked: true },
      { name: 'FirstName', locked: true },
      { name: 'LastName', locked: true },
    ])
  })

  test('asked for by hand, one that is always read is a column like any other', () => {
    const of = (asked: string[]) => chooseFields('lead', live, asked).find(({ name }) => name === 'DoNotEmail')
    expect(of([])).toMatchObject({ system: true })
    expect(of(['DoNotEmail'])).toMatchObject({ system: false })
  })

  test('are refused by place when unknown, secret, or named twice', () => {
    expect(fails(['WorkPhone', 'Nonsense'])).toMatchObject({ code: 'unknownField', errors: [{ path: 'fields[1]' }] })
    expect(fails(['WebPassword'])).toMatchObject({ code: 'secretField', errors: [{ path: 'fields[0]' }] })
    expect(fails(['WorkPhone', 'workPHONE'])).toMatchObject({ code: 'duplicateField', errors: [{ path: 'fields[1]' }] })
  })

  test('are each there once, whatever is asked', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...names(live))), (asked) => {
        const chosen = names(chooseFields('contact', live, asked))
        expect(new Set(chosen).size).toBe(chosen.length)
        for (const name of asked) expect(chosen).toContain(name)
      }),
    )
  })
})

test('fixed column keys differ', () => {
  const keys = Object.values(fixedColumnKeys)
  expect(new Set(keys).size).toBe(keys.length)
})

test('I4: a second list of an entity gets the next free number, in any case', () => {
  expect(numberedName('All Infor CRM Leads', [])).toBe('All Infor CRM Leads')
  expect(numberedName('All Infor CRM Leads', ['all infor crm leads'])).toBe('All Infor CRM Leads (2)')
  expect(numberedName('A', ['A', 'A (3)', 'a (2)'])).toBe('A (4)')
})

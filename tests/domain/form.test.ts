import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { submissionCauseOf, warningSentence } from '../../src/domain/cause.ts'
import type { FieldType } from '../../src/domain/crm.ts'
import { chooseFields } from '../../src/domain/field.ts'
import { isFairleadError } from '../../src/domain/errors.ts'
import {
  fieldTypes,
  missingColumns,
  readAnswers,
  readForm,
  valuesOf,
  type FormDefinition,
  type GivenField,
  type GivenForm,
} from '../../src/domain/form.ts'
import { recordAfter } from '../../src/domain/form/values.ts'

const column = (key: string, name: string, type: FieldType = 'text') => ({
  id: `id-${key}`,
  key,
  name,
  type,
  crmField: null,
})
const columns = [
  column('c1', 'E-mail', 'email'),
  column('c2', 'First name'),
  column('c3', 'Last name'),
  column('c8', 'Employees', 'number'),
  column('c9', 'Agrees', 'boolean'),
]
const email: GivenField = { name: 'email', type: 'email' }
const read = (given: Partial<GivenForm> & { fields: GivenField[] }) =>
  readForm({ name: 'Fair', ...given }, { columns, live: {} })
const problems = (given: Partial<GivenForm> & { fields: GivenField[] }): string[] => {
  try {
    read(given)
    return []
  } catch (error) {
    if (!isFairleadError(error)) throw error
    return (error.details.errors ?? []).map(({ path }) => path)
  }
}

describe('F1: a form as it is given', () => {
  test('has everything that was left out', () => {
    const form = read({
      push: true,
      languages: ['de', 'en'],
      fields: [
        { ...email, label: 'Adresse' },
        { name: 'firstName', type: 'text', label: { de: 'Vorname', en: 'Name' } },
      ],
    })
    expect(form).toMatchObject({ policy: 'overwrite', title: { de: 'Fair' }, thanks: { text: { de: 'Vielen Dank.' } } })
    expect(form.fields).toMatchObject([
      { name: 'email', column: 'c1', required: true, label: { de: 'Adresse' } },
      { name: 'firstName', column: 'c2', required: false },
    ])
  })

  test('names every place that is wrong', () => {
    expect(
      problems({
        push: true,
        languages: ['fr'],
        thanks: { redirect: 'javascript:alert(1)' },
        allowedOrigins: ['https://a.example/path', 'https://b.example'],
        fields: [
          { name: '1st', type: 'text', column: null },
          { name: 'size', type: 'number', min: 5, max: 1, maxLength: 3, column: 'Agrees' },
          { name: 'SIZE', type: 'choice', column: null },
          { name: 'source', type: 'hidden', required: true, column: null },
          { name: 'count', type: 'hidden', hidden: { value: 'many' }, column: 'Employees' },
        ],
      }).sort(),
    ).toEqual(
      [
        'allowedOrigins[0]',
        'fields',
        'fields[0].name',
        'fields[1].column',
        'fields[1].max',
        'fields[1].maxLength',
        'fields[2].choices',
        'fields[2].name',
        'fields[3].hidden',
        'fields[3].required',
        'fields[4].hidden.value',
        'languages[0]',
        'thanks.redirect',
      ].sort(),
    )
  })

  test('that pushes has one address, which must be answered', () => {
    expect(problems({ push: true, fields: [{ ...email, required: false }] })).toEqual(['fields[0].required'])
    expect(problems({ push: true, fields: [{ ...email, column: null }] })).toEqual(['fields'])
    expect(problems({ push: true, fields: [email, { name: 'other', type: 'email', column: 'E-mail' }] })).toEqual([
      'fields[1].column',
    ])
    expect(problems({ fields: [{ name: 'text', type: 'text', column: 'E-mail' }] })).toEqual(['fields[0].column'])
  })

  test('names columns that the list has not yet, each once, by the label where nothing else is said', () => {
    const fields: GivenField[] = [
      email,
      { name: 'town', type: 'text', label: { en: 'City' } },
      { name: 'day', type: 'date', column: 'Visit' },
      { name: 'lastName', type: 'text' },
      { name: 'note', type: 'longText', column: null },
    ]
    expect(missingColumns(fields, ['en'], columns)).toEqual([
      { index: 1, name: 'City', type: 'text' },
      { index: 2, name: 'Visit', type: 'date' },
    ])
  })
})

test('F1: choices of a picklist stay when the CRM has it no more; a new one needs one that is there', () => {
  const industry = (more = {}): GivenForm => ({
    name: 'Fair',
    fields: [
      { name: 'email', type: 'email' },
      { name: 'branch', type: 'choice', picklist: { entity: 'lead', field: 'Industry' }, column: null, ...more },
    ],
  })
  const lead = [{ ...chooseFields('lead', [], [])[0]!, name: 'Industry', picklist: 'Industries' }]
  const picklists = { 'lead.Industry': [{ value: 'Steel', label: { en: 'Steel' } }] }
  const before = readForm(industry(), { columns, live: { lead }, picklists })
  expect(before.fields[1]!.choices).toEqual(picklists['lead.Industry'])
  for (const live of [{}, { lead: [] }]) expect(readForm(industry(), { columns, live, before })).toEqual(before)
  expect(() => readForm(industry({ name: 'other' }), { columns, live: { lead: [] }, before })).toThrow('no field')
  expect(() => readForm(industry(), { columns, live: { lead } })).toThrow('no items')
})

const form = read({
  push: true,
  languages: ['en', 'de'],
  fields: [
    email,
    { name: 'about', type: 'text', maxLength: 5, column: null },
    { name: 'size', type: 'number', min: 1, max: 10, column: null },
    { name: 'day', type: 'date', min: '2026-01-01', column: null },
    { name: 'colour', type: 'choice', choices: ['red', { value: 'blue', label: 'Blue' }], column: null },
    { name: 'likes', type: 'choices', choices: ['tea', 'cake'], column: null },
    { name: 'agrees', type: 'consent', required: true, column: 'Agrees' },
    { name: 'campaign', type: 'hidden', hidden: { value: 'spring' }, column: null },
    { name: 'source', type: 'hidden', hidden: { parameter: 'utm_source' }, column: null },
  ],
})
const codes = (given: Record<string, unknown>, options = {}) =>
  Object.fromEntries(readAnswers(form, given, options).errors.map(({ path, code }) => [path, code]))
const right = { email: ' Pat@Example.com ', agrees: 'on' }

describe('F2: answers', () => {
  test('are read by the types of their fields; missing stays missing, blank stays blank, what is fixed is ours', () => {
    const given = {
      ...right,
      about: '',
      size: '3.5',
      day: '2026-11-23',
      colour: 'blue',
      likes: 'cake',
      campaign: 'mine',
    }
    expect(readAnswers(form, given)).toEqual({
      answers: {
        email: 'Pat@Example.com',
        about: '',
        size: 3.5,
        day: '2026-11-23',
        colour: 'blue',
        likes: ['cake'],
        agrees: true,
        campaign: 'spring',
      },
      errors: [],
    })
    expect(readAnswers(form, { ...right, likes: ['cake', 'tea', 'cake'] }).answers['likes']).toEqual(['tea', 'cake'])
  })

  test('that do not fit are named with a sentence in the language of the form', () => {
    const wrong = { email: 'nobody', about: 'too long', size: 11, day: '2025-12-31', colour: 'green', likes: ['beer'] }
    expect(codes({ ...wrong, agrees: false })).toEqual({
      email: 'notEmail',
      about: 'tooLong',
      size: 'tooLarge',
      day: 'tooSmall',
      colour: 'notChoice',
      likes: 'notChoice',
      agrees: 'consentMissing',
    })
    expect(codes({ ...right, size: 'many', about: ['a', 'b'], day: '2026-02-30' })).toEqual({
      size: 'notNumber',
      about: 'notText',
      day: 'notDate',
    })
    const { errors } = readAnswers(form, { ...right, email: '' }, { language: 'de-AT' })
    expect(errors).toEqual([{ path: 'email', code: 'required', message: 'Bitte füllen Sie dieses Feld aus.' }])
  })

  test('to fields that the form does not have are left out, or refused where a program sends them', () => {
    const given = { ...right, constructor: 'x', extra: 1 }
    expect(readAnswers(form, given).errors).toEqual([])
    expect(Object.keys(readAnswers(form, given).answers)).toEqual(['email', 'agrees', 'campaign'])
    expect(codes(given, { unknown: 'refuse' })).toEqual({ constructor: 'unknownField', extra: 'unknownField' })
  })

  test('R30: of which none says anything make an empty submission', () => {
    for (const given of [{}, { about: ' ', agrees: false }, { source: 'mail', campaign: 'x' }])
      expect(readAnswers(form, given).errors[0]).toMatchObject({ path: '', code: 'emptySubmission' })
  })

  test('are never invented, whatever is sent, and nothing throws', () => {
    const names = form.fields.map(({ name }) => name)
    const value = fc.oneof(fc.anything(), fc.string(), fc.constantFrom('red', 'tea', 'on', '1', '', 'a@b.example'))
    const anything = fc.dictionary(fc.oneof(fc.constantFrom(...names, '__proto__', 'constructor'), fc.string()), value)
    fc.assert(
      fc.property(anything, fc.constantFrom('ignore', 'refuse'), (given, unknown) => {
        const { answers } = readAnswers(form, given, { unknown } as { unknown: 'ignore' | 'refuse' })
        for (const [name, answer] of Object.entries(answers)) {
          expect(names).toContain(name)
          if (name === 'campaign') expect(answer).toBe('spring')
          else expect(Object.hasOwn(given, name)).toBe(true)
          const said = given[name]
          if (typeof said === 'string' && said.trim() === '' && name !== 'campaign') expect(answer).toBe('')
        }
        expect(JSON.parse(JSON.stringify(answers))).toEqual(answers)
      }),
    )
  })

  test('a form that is given in any way is read or refused', () => {
    const field = fc.record(
      {
        name: fc.string(),
        type: fc.constantFrom(...fieldTypes),
        label: fc.string(),
        maxLength: fc.integer(),
        min: fc.oneof(fc.integer(), fc.string()),
        choices: fc.array(fc.string()),
        hidden: fc.record({ value: fc.string() }),
        column: fc.option(fc.constantFrom('E-mail', 'Agrees', 'c2', 'nothing')),
      },
      { requiredKeys: ['name', 'type'] },
    )
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        problems({ fields } as { fields: GivenField[] })
      }),
    )
  })
})

test('a field that is named as a property of every object has no value where nobody answered it', () => {
  const fields = [{ name: 'constructor', column: 'c4' }] as FormDefinition['fields']
  const columns = [{ key: 'c4', type: 'text', name: 'Builder', crmField: null }] as never
  expect(valuesOf({ fields }, {}, columns)).toEqual({ values: {}, warnings: [] })
})

test('R25: every code of a submission has a sentence and a remedy of its own', () => {
  for (const code of [
    'noEmail',
    'requiredMissing',
    'addressNotMapped',
    'beingCreated',
    'listRemoved',
    'notConnected',
    'crmRefused',
    'loginRefused',
  ]) {
    const { message, remedy } = submissionCauseOf(code)
    expect(message).not.toContain(code)
    expect(remedy).not.toContain('sync settings')
  }
  expect(warningSentence({ code: 'answerNotKept', field: 'age' })).toContain('age')
})

describe('what becomes of the record of a submission that was pushed', () => {
  const field = {
    name: 'Title',
    label: 'Title',
    type: 'text' as const,
    maxLength: 64,
    custom: false,
    readOnly: false,
    required: false,
    locked: false,
    address: false,
    picklist: null,
    picklistStorage: null,
  }
  const after = (own: string, agreed = {}) =>
    recordAfter(
      { fields: { c9: own }, agreed },
      {
        columns: [{ key: 'c9', field, pulled: true, pushed: true, clears: false }],
        stored: { Title: 'Answer' },
        values: { c9: 'Answer' },
        written: new Set(['Title']),
        isNew: false,
      },
      'now',
    )

  test('R13: what a sync took over from the CRM meanwhile gives way to the answer; what was edited here goes out', () => {
    expect(after('CRM')).toEqual({ patch: { c9: 'Answer' }, agreed: {} })
    expect(after('Edited', { c9: { v: 'CRM', at: 'then' } })).toEqual({
      patch: {},
      agreed: { c9: { v: 'Answer', at: 'then' } },
    })
    expect(after('Answer', { c9: { v: 'CRM', at: 'then' } })).toEqual({ patch: {}, agreed: {} })
  })
})

import { describe, expect, test } from 'vitest'
import { FairleadError } from '../../src/domain/errors.ts'
import type { CrmField, FieldType } from '../../src/domain/crm.ts'
import { changedParts, readSettings, warningsOf, widens, type SettingsOf } from '../../src/domain/settings.ts'
import { defaultSync, type PullSettings, type PushSettings } from '../../src/domain/sync.ts'

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
const people = ['Email', 'FirstName', 'LastName', 'Title', 'Address/City'].map((name) => field(name))
const live = {
  lead: [
    ...people,
    field('Company', { required: true }),
    field('LeadNameLastFirst', { readOnly: true }),
    field('Notes', { maxLength: null }),
    field('CreateDate', { type: 'instant', readOnly: true }),
    field('DoNotEmail', { type: 'boolean' }),
    field('AssignDate', { type: 'instant' }),
    field('CBirthday', { type: 'date' }),
    field('CScore', { type: 'number' }),
    field('Address/Type', { required: true }),
    field('Motto', { maxLength: 20 }),
  ],
  contact: [
    ...people,
    field('Department', { maxLength: 32 }),
    field('Notes', { maxLength: 255 }),
    field('NameLF', { readOnly: true }),
    field('CreateDate', { type: 'instant', readOnly: true }),
    field('DoNotEmail', { type: 'boolean' }),
    field('Motto', { maxLength: 40 }),
  ],
}

const column = (key: string, crmField: string | null, more: Partial<SettingsOf['columns'][number]> = {}) => ({
  id: `id-${key}`,
  key,
  name: crmField ?? 'Hobby',
  type: 'text' as FieldType,
  crmField,
  maxLength: 64,
  system: false,
  staleAt: null,
  ...more,
})
const fixed = [column('c1', 'Email'), column('c2', 'FirstName'), column('c3', 'LastName')]
const leads: SettingsOf = {
  kind: 'crmLeads',
  live,
  columns: [
    ...fixed,
    column('c4', 'CreateDate', { type: 'instant', system: true }),
    column('c6', 'DoNotEmail', { type: 'boolean' }),
    column('c8', 'Title'),
    column('c9', 'Company'),
    column('c10', 'Account/Industry'),
    column('c11', null),
    column('c12', 'Address/City'),
  ],
}
const contacts: SettingsOf = {
  kind: 'crmContacts',
  live,
  columns: [...fixed, column('c8', 'Department', { maxLength: 32 }), column('c9', 'NameLF'), column('c10', 'Title')],
}
const plain: SettingsOf = {
  kind: 'plain',
  live,
  columns: [...fixed.map((each) => ({ ...each, crmField: null })), column('c8', null)],
}

const asked = (push: Partial<PushSettings> = {}, pull: Partial<PullSettings> = {}) => {
  const usual = defaultSync()
  return { push: { ...usual.push, ...push }, pull: { ...usual.pull, ...pull } }
}
const refusal = (given: ReturnType<typeof asked>, of = leads, before = defaultSync()) => {
  try {
    return readSettings(given, of, before)
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error
    return { code: error.code, paths: error.details.errors?.map(({ path }) => path) }
  }
}

describe('settings by the names of columns', () => {
  test('become keys, in any case and by any name', () => {
    const given = asked(
      { fields: ['TITLE', 'email', 'address/city', 'hobby'], clearFields: ['title'] },
      { excludedFields: ['Company'] },
    )
    expect(readSettings(given, leads, defaultSync())).toMatchObject({
      push: { fields: ['c8', 'c1', 'c12', 'c11'], clearFields: ['c8'] },
      pull: { excludedFields: ['c9'] },
    })
  })

  test.for([
    ['an unknown column', { fields: ['Title', 'Nothing'] }, 'unknownColumn', 'push.fields[1]'],
    ['a column named twice', { fields: ['Title', 'c8'] }, 'duplicateField', 'push.fields[1]'],
    ['a column of Fairlead’s own', { fields: ['CreateDate'] }, 'fieldReadOnly', 'push.fields[0]'],
    ['R8: a related path', { fields: ['Account/Industry'] }, 'fieldReadOnly', 'push.fields[0]'],
    ['clearing what is not pushed', { clearFields: ['Title'] }, 'invalidInput', 'push.clearFields[0]'],
    ['a default for no field', { newLeadDefaults: { Nothing: 1 } }, 'unknownField', 'push.newLeadDefaults.Nothing'],
    [
      'a default that is set by the CRM',
      { newLeadDefaults: { CreateDate: '2026-01-01T00:00:00Z' } },
      'fieldReadOnly',
      'push.newLeadDefaults.CreateDate',
    ],
    [
      'a default address',
      { newLeadDefaults: { email: 'a@example.com' } },
      'invalidInput',
      'push.newLeadDefaults.email',
    ],
    ['a default secret', { newLeadDefaults: { WebPassword: 'x' } }, 'secretField', 'push.newLeadDefaults.WebPassword'],
    [
      'a default given twice',
      { newLeadDefaults: { Company: 'a', company: 'b' } },
      'duplicateField',
      'push.newLeadDefaults.company',
    ],
    [
      'a default that is too long',
      { newLeadDefaults: { Motto: 'x'.repeat(21) } },
      'invalidInput',
      'push.newLeadDefaults.Motto',
    ],
    ['a blank default', { newLeadDefaults: { Company: ' ' } }, 'invalidInput', 'push.newLeadDefaults.Company'],
    ['text for a number', { newLeadDefaults: { CScore: '7' } }, 'invalidInput', 'push.newLeadDefaults.CScore'],
    [
      'text for true or false',
      { newLeadDefaults: { DoNotEmail: 'T' } },
      'invalidInput',
      'push.newLeadDefaults.DoNotEmail',
    ],
    [
      'a day that is none',
      { newLeadDefaults: { CBirthday: '2026-02-30' } },
      'invalidInput',
      'push.newLeadDefaults.CBirthday',
    ],
    [
      'an instant without a zone',
      { newLeadDefaults: { AssignDate: '2026-02-03T10:00:00' } },
      'invalidInput',
      'push.newLeadDefaults.AssignDate',
    ],
    ['an owner that is no text', { newLeadDefaults: { Owner: 7 } }, 'invalidInput', 'push.newLeadDefaults.Owner'],
  ] as const)('refuse %s', ([, push, code, path]) => {
    expect(refusal(asked(push as unknown as Partial<PushSettings>))).toEqual({ code, paths: [path] })
  })

  test('name every place that is wrong', () => {
    const given = asked({ fields: ['Nothing', 'CreateDate'] }, { excludedFields: ['DoNotEmail', 'CreateDate'] })
    expect(refusal(given)).toEqual({
      code: 'unknownColumn',
      paths: ['push.fields[0]', 'push.fields[1]', 'pull.excludedFields[0]', 'pull.excludedFields[1]'],
    })
  })

  test('take defaults of every type under the CRM’s own names', () => {
    const given = {
      company: 'None',
      CSCORE: 1.5,
      DoNotEmail: true,
      CBirthday: '2026-02-28',
      AssignDate: '2026-02-28T01:00:00+01:00',
      owner: 'Sales',
      leadSource: 'Web',
      AccountManager: 'USER00000001',
    }
    expect(readSettings(asked({ newLeadDefaults: given }), leads, defaultSync()).push.newLeadDefaults).toEqual({
      Company: 'None',
      CScore: 1.5,
      DoNotEmail: true,
      CBirthday: '2026-02-28',
      AssignDate: '2026-02-28T00:00:00.000Z',
      Owner: 'Sales',
      LeadSource: 'Web',
      AccountManager: 'USER00000001',
    })
  })

  test('keep the defaults that are stored while the fields of a lead are not known, and take no others', () => {
    const of = { ...leads, live: {} }
    const before = asked({ newLeadDefaults: { Company: 'None' } })
    expect(readSettings(before, of, before).push.newLeadDefaults).toEqual({ Company: 'None' })
    expect(refusal(asked({ newLeadDefaults: { Company: 'Other' } }), of, before)).toMatchObject({
      code: 'unknownField',
    })
  })

  test('a plain list never pulls, and may say what it pushes', () => {
    expect(refusal(asked(), plain)).toEqual({ code: 'pullNotPossible', paths: ['pull.enabled'] })
    const given = asked({ enabled: true, updateExisting: true, fields: ['LastName', 'Hobby'] }, { enabled: false })
    expect(readSettings(given, plain, defaultSync()).push.fields).toEqual(['c3', 'c8'])
  })
})

describe('warnings', () => {
  const said = (of: SettingsOf, push: Partial<PushSettings>, pull: Partial<PullSettings> = { enabled: false }) =>
    warningsOf(asked({ enabled: true, ...push }, pull), of).map((each) => `${each.code} ${each.field}`)

  test('are about what is switched on', () => {
    expect(warningsOf(defaultSync(), { ...leads, columns: fixed })).toEqual([])
    expect(said(contacts, { enabled: false, addNew: true })).toEqual([])
    expect(said(contacts, { fields: ['c8'] })).toEqual([])
  })

  test('new leads cannot hold what only a contact has; what the CRM puts together is no loss', () => {
    expect(said(contacts, { addNew: true })).toEqual(['noFieldOnLead Department', 'requiredMissing Company'])
  })

  test('S1: a required field needs a column or a default', () => {
    expect(said(contacts, { addNew: true, newLeadDefaults: { Company: 'x' } })).not.toContain('requiredMissing Company')
    const columns = [...contacts.columns, column('c11', 'AccountName')]
    const withName = { ...live, contact: [...live.contact, field('AccountName')] }
    expect(said({ ...contacts, columns, live: withName }, { addNew: true })).toEqual(['noFieldOnLead Department'])
  })

  test('a text may be longer than the field of either entity', () => {
    const of = { ...contacts, columns: [...fixed, column('c8', 'Motto', { maxLength: 40 })] }
    const update = { updateExisting: true, fields: ['c8'] }
    expect(said(of, update)).toEqual(['fieldTooShort Motto'])
    expect(warningsOf(asked({ enabled: true, ...update }), of)[0]?.message).toContain('lead holds at most 20')
    const unlimited = { ...leads, columns: [...fixed, column('c8', 'Notes', { maxLength: null })] }
    expect(said(unlimited, update)).toEqual(['fieldTooShort Notes'])
    const shortened = { ...leads, columns: [...fixed, column('c8', 'Motto', { maxLength: 20 })] }
    expect(said(shortened, update)).toEqual([])
  })

  test('a chosen field that the other entity lacks, or that is bound to nothing', () => {
    expect(said(leads, { updateExisting: true, fields: ['c11'] })).toContain('notMapped Hobby')
    const columns = [...fixed, column('c8', 'CScore', { type: 'number' })]
    expect(said({ ...leads, columns }, { updateExisting: true, fields: ['c8'] })).toEqual(['noFieldOnContact CScore'])
  })

  test('R24: a field that is gone, while it is pulled or pushed', () => {
    const gone = { ...leads, columns: [...fixed, column('c8', 'Gone'), column('c9', 'Title', { staleAt: new Date() })] }
    expect(said(gone, { enabled: false }, {})).toEqual(['fieldMissing Gone', 'fieldMissing Title'])
    expect(said(gone, { enabled: false }, { excludedFields: ['c8', 'c9'] })).toEqual([])
    expect(said(gone, { updateExisting: true, fields: ['c8'] })).toEqual(['fieldMissing Gone'])
  })

  test('a chosen field that the CRM has made read-only since', () => {
    const of = { ...leads, columns: fixed, live: { lead: people.map((each) => ({ ...each, readOnly: true })) } }
    expect(said(of, { updateExisting: true, fields: ['c3'] })).toEqual(['fieldReadOnly LastName'])
  })

  test('nothing is said about an entity whose fields are not known', () => {
    expect(said({ ...contacts, live: {} }, { addNew: true, updateExisting: true, fields: ['c8', 'c9'] })).toEqual([])
  })
})

describe('pulling more than before', () => {
  const pull = (more: Partial<PullSettings> = {}): PullSettings => ({ ...defaultSync().pull, ...more })
  test.for([
    ['nothing changed', {}, {}, false],
    ['pull switched on', { enabled: false }, {}, true],
    ['add-new switched on', { addNew: false }, {}, true],
    ['update-existing switched on', { updateExisting: false }, {}, true],
    ['a field ticked again', { excludedFields: ['c8', 'c9'] }, { excludedFields: ['c9'] }, true],
    ['a field unticked', { excludedFields: ['c8'] }, { excludedFields: ['c8', 'c9'] }, false],
    ['one ticked, one unticked', { excludedFields: ['c8'] }, { excludedFields: ['c9'] }, true],
    ['everything switched off', {}, { enabled: false, addNew: false }, false],
    ['add-new switched on while nothing is pulled', { addNew: false, enabled: false }, { enabled: false }, false],
  ] as const)('%s', ([, before, after, widened]) => {
    expect(widens(pull(before as Partial<PullSettings>), pull(after as Partial<PullSettings>))).toBe(widened)
  })
})

test('what changed is named, whatever the order of things', () => {
  const before = asked({ fields: ['c8', 'c9'], newLeadDefaults: { A: 1, Company: 'x' } })
  expect(changedParts(before, asked({ fields: ['c9', 'c8'], newLeadDefaults: { Company: 'x', A: 1 } }))).toEqual([])
  const after = asked({ fields: ['c8'], newLeadDefaults: { A: '1', Company: 'x' } }, { enabled: false })
  expect(changedParts(before, after)).toEqual(['push.fields', 'push.newLeadDefaults', 'pull.enabled'])
})

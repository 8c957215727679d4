import { expect, test } from 'vitest'
import { open, type Entry } from './support.ts'

const path = "dynamic/-/leads('QFLEAD000010')"

test('a picklist keeps what a client writes, unless the value must be an item in its stored form', async () => {
  const { ask, json, control } = await open()
  expect(await json(path, { method: 'PUT', body: { Title: 'Wizard' } })).toMatchObject({ Title: 'Wizard' })
  control.settings({ picklistWrites: 'mustExist' })
  const refused = await ask(path, { method: 'PUT', body: { Title: 'Wizard' } })
  const [diagnosis] = (await refused.json()) as Entry[]
  expect([refused.status, diagnosis?.['sdataCode']]).toEqual([400, 'ApplicationDiagnosis'])
  expect(diagnosis?.['message']).toContain('Title')
  for (const Title of ['CFO', null, ''])
    expect(await json(path, { method: 'PUT', body: { Title } })).toMatchObject({ Title })
})

test.each([
  ['text', 'Vice President'],
  ['code', 'VICE'],
  ['id', 'k100ITEM0010'],
] as const)('where picklists hold the %s, only that form is an item', async (picklistStorage, Title) => {
  const { ask, json, control } = await open()
  control.settings({ picklistStorage, picklistWrites: 'mustExist' })
  for (const value of ['Vice President', 'VICE', 'k100ITEM0010'])
    expect((await ask(path, { method: 'PUT', body: { Title: value } })).status).toBe(value === Title ? 200 : 400)
  expect(control.person('lead', 'QFLEAD000010')).toMatchObject({ Title })
  const body = { CSegment: 'ENTE', CTier: 'k114ITEM0000' }
  expect(await json(path, { method: 'PUT', body })).toMatchObject(body)
  expect((await ask(path, { method: 'PUT', body: { CSegment: 'Enterprise' } })).status).toBe(400)
})

test('the default status of a new person is stored as its picklist is', async () => {
  const { json, control } = await open()
  control.settings({ picklistStorage: 'code', picklistWrites: 'mustExist' })
  const body = { LastName: 'New', Company: 'Coded' }
  expect(await json('dynamic/-/leads', { method: 'POST', body })).toMatchObject({ Status: 'NEW' })
  expect(await json('dynamic/-/leads/$template')).toMatchObject({ Status: 'NEW' })
})

test('values can be rewritten on write, and the answer shows what is stored', async () => {
  const { json, control } = await open()
  control.settings({
    overlongText: 'cut',
    rewrites: {
      Lead: {
        WorkPhone: 'digits',
        CompanyUpper: 'upper',
        Company: 'upper',
        LastName: 'trim',
        CScore: 'round2',
        CBudget: 'round2',
      },
      LeadAddress: { City: 'upper' },
    },
  })
  const body = {
    WorkPhone: '+49 (228) 12-34',
    Company: 'Söhne',
    LastName: ' Two ',
    CScore: 1.005,
    Title: 'x'.repeat(70),
    Address: { City: 'Bonn' },
  }
  const stored = {
    WorkPhone: '492281234',
    Company: 'SÖHNE',
    LastName: 'Two',
    CScore: 1.01,
    Title: 'x'.repeat(64),
    Address: { City: 'BONN' },
  }
  expect(await json(path, { method: 'PUT', body })).toMatchObject(stored)
  expect(await json('dynamic/-/leads', { method: 'POST', body })).toMatchObject(stored)
  expect(control.person('lead', 'QFLEAD000010')).toMatchObject(stored)
  expect(await json(path, { method: 'PUT', body: { WorkPhone: null } })).toMatchObject({ WorkPhone: null })
})

test.each([
  ['2.345', '2.35'],
  ['-2.345', '-2.35'],
  ['7', '7.00'],
  ['0.999', '1.00'],
  ['12345678901234567.895', '12345678901234567.90'],
])('decimals are rounded to two places: %s is stored as %s', async (sent, stored) => {
  const { json, control } = await open()
  control.settings({ rewrites: { Lead: { CBudget: 'round2' } } })
  await json(path, { method: 'PUT', body: { CBudget: sent } })
  expect(control.person('lead', 'QFLEAD000010')).toMatchObject({ CBudget: stored })
})

test('rewriting concerns clients, not the people of the CRM', async () => {
  const { control } = await open()
  control.settings({ rewrites: { Lead: { Company: 'upper' } } })
  control.edit({ entity: 'lead', id: 'QFLEAD000010', values: { Company: 'Quiet' } })
  expect(control.person('lead', 'QFLEAD000010')).toMatchObject({ Company: 'Quiet' })
})

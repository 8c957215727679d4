import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import { update } from '../../src/db/account.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList } from '../support/sync.ts'

let fairlead: Fairlead

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 0, contacts: 0 })
  await fairlead.connect()
})
afterAll(() => fairlead.close())

test('R4, R11: with `all`, everybody with the address gets what was edited here, and nothing else, once', async () => {
  const { control } = fairlead.simulator
  const add = (LastName: string): string =>
    control.add({ entity: 'lead', values: { Email: 'shared@example.com', LastName, WorkPhone: '1', Title: 'Boss' } })
      .ids[0]!
  const [linked, other] = [add('Linked'), add('Other')]
  const run = await fairlead.finished(await fairlead.startImport('lead', ['WorkPhone', 'Title', 'Company']))
  const list = await openList(fairlead, run.listId!)
  await update(fairlead.db, fairlead.accountId, { ambiguousMatch: 'all' }, operator)
  await list.settings({ enabled: true, updateExisting: true, fields: ['WorkPhone', 'Title', 'Company'] })
  const { id } = (await list.records()).find(({ crmId }) => crmId === linked)!
  // a blank that does not clear the CRM's value (R9) waits for ever, and the record with it
  await list.edit(id, { Title: null, Company: 'Edited here' })
  await list.run()
  expect(control.person('lead', other)).toMatchObject({ Company: 'Edited here', WorkPhone: '1', Title: 'Boss' })
  control.edit({ entity: 'lead', id: other, values: { WorkPhone: '2', Company: 'Edited there' } })
  const { writes } = control.gauges()
  await list.run()
  await list.run()
  expect(control.person('lead', other)).toMatchObject({ WorkPhone: '2', Company: 'Edited there' })
  expect(control.gauges().writes - writes).toBe(0)
})

test('R4, R11: with `all`, two records of people who share an address each tell the other what was edited', async () => {
  const { control } = fairlead.simulator
  const add = (LastName: string): string =>
    control.add({ entity: 'lead', values: { Email: 'both@example.com', LastName, Title: 'Boss' } }).ids[0]!
  const [p, q] = [add('P'), add('Q')]
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company'], true))
  const list = await openList(fairlead, run.listId!)
  await update(fairlead.db, fairlead.accountId, { ambiguousMatch: 'all' }, operator)
  await list.settings({ enabled: true, updateExisting: true, fields: ['Title', 'Company'] })
  const records = await list.records()
  const idOf = (person: string): string => records.find(({ crmId }) => crmId === person)!.id
  await list.edit(idOf(p), { Company: 'From P' })
  await list.edit(idOf(q), { Title: 'From Q' })
  await list.run()
  for (const person of [p, q])
    expect(control.person('lead', person)).toMatchObject({ Company: 'From P', Title: 'From Q' })
})

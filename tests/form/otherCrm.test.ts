import { afterAll, beforeAll, expect, test } from 'vitest'
import * as connections from '../../src/db/connection.ts'
import { reopen } from '../../src/db/submission/wake.ts'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openForm } from '../support/submission.ts'
import { writesIn } from '../sync/people.ts'
import { plainList } from '../support/plain.ts'

let fairlead: Fairlead
let other: Simulator

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 3, contacts: 2 })
  other = await startSimulator({ leads: 4, contacts: 3, seed: 8 })
  await fairlead.connect()
}, 60_000)
afterAll(async () => {
  await fairlead.close()
  await other.close()
})

const again = async (id: string): Promise<void> => {
  expect(await reopen(fairlead.db, fairlead.accountId, { ids: [id] })).toBe(1)
  await fairlead.wiring.relay()
}

test('C3: what waited for a CRM goes to another one only when a person says so, and never by a list that is linked to the first', async () => {
  const fields = { email: 'E-mail', last: 'Last name', firm: 'Firm' }
  const columns = { Firm: ['Company', null] } as const
  const linked = await plainList(fairlead, 'Linked', { Firm: [...columns.Firm] })
  const fresh = await plainList(fairlead, 'Fresh', { Firm: [...columns.Firm] })
  const [old, young] = [await openForm(fairlead, linked, fields), await openForm(fairlead, fresh, fields)]
  const pushed = await old.submit({ email: 'first@form.example', last: 'First', firm: 'Ltd' })
  expect(await old.settled(pushed)).toMatchObject({ state: 'pushed' })
  await connections.reset(fairlead.db, fairlead.accountId)
  const waiting = await old.submit({ email: 'second@form.example', last: 'Second', firm: 'Ltd' })
  const loose = await young.submit({ email: 'third@form.example', last: 'Third', firm: 'Ltd' })
  expect(await old.reaches(waiting, 'held')).toMatchObject({ code: 'notConnected' })
  await young.reaches(loose, 'held')

  await fairlead.connect({ url: other.url })
  expect(await old.settled(waiting)).toMatchObject({ state: 'rejected', code: 'otherCrm' })
  expect(await young.settled(loose)).toMatchObject({ state: 'rejected', code: 'otherCrm' })
  expect(writesIn(other.control.journal())).toEqual([])
  await again(waiting)
  expect(await old.settled(waiting)).toMatchObject({ state: 'rejected', code: 'listOfOtherCrm', results: [] })
  await again(loose)
  expect(await young.settled(loose)).toMatchObject({ state: 'pushed', results: [{ kind: 'created' }] })
  const later = await old.submit({ email: 'fourth@form.example', last: 'Fourth', firm: 'Ltd' })
  expect(await old.settled(later)).toMatchObject({ state: 'rejected', code: 'listOfOtherCrm' })
  // on its list all the same
  expect((await linked.records()).map(({ values }) => values['Last name'])).toContain('Fourth')

  await connections.reset(fairlead.db, fairlead.accountId)
  await fairlead.connect({ url: other.url })
  const last = await young.submit({ email: 'third@form.example', last: 'Known again' })
  expect(await young.settled(last)).toMatchObject({ state: 'pushed', results: [{ kind: 'updated' }] })
})

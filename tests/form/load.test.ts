import { expect, onTestFinished, test } from 'vitest'
import * as runs from '../../src/db/run/state.ts'
import { openFairlead, until } from '../support/fairlead.ts'
import { openForm } from '../support/submission.ts'
import { plainList } from '../support/plain.ts'

test('R26: submissions go before an import that runs, and a thousand of them wake nobody twice', async () => {
  const fairlead = await openFairlead({ leads: 12_000, contacts: 2, maxPage: 100 })
  onTestFinished(fairlead.close)
  await fairlead.connect()
  const list = await plainList(fairlead, 'Filled by forms', { Firm: ['Company', null] })
  const form = await openForm(fairlead, list, { email: 'E-mail', last: 'Last name', firm: 'Firm' })
  const { control } = fairlead.simulator
  control.settings({ latencyMs: 100 })
  const runId = await fairlead.startImport('lead')
  const stateOf = async () => runs.get(fairlead.db, fairlead.accountId, runId)
  await until(
    'the import reads',
    async () => ((await stateOf()).counts?.['pull']?.read ?? 0) > 0 || control.gauges().rows > 500,
  )
  for (let n = 0; n < 10; n += 1) await form.submit({ email: `load${n}@form.example`, last: 'Load', firm: 'Ltd' })
  const all = await form.allSettled()
  expect(all.map(({ state }) => state)).toEqual(all.map(() => 'pushed'))
  expect((await stateOf()).state).toBe('running')
  control.settings({ latencyMs: 0 })
  await fairlead.finished(runId)
  const [told] = await fairlead.db.$client<[{ n: number }]>`
    select count(*)::int as n from outbox where name = 'drainForms'`
  expect(told.n).toBeLessThan(5)
}, 60_000)

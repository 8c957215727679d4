import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase, type Database } from '../../src/db/database.ts'
import { takeIn } from '../../src/db/submission/take.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { plainList } from '../support/plain.ts'
import { openForm } from '../support/submission.ts'

let fairlead: Fairlead
let single: Database
beforeAll(async () => {
  fairlead = await openFairlead({ worker: false, leads: 1, contacts: 1 })
  single = openDatabase(fairlead.environment['DATABASE_URL']!, { max: 1 })
})
afterAll(async () => {
  await single.$client.end()
  await fairlead.close()
})

test('F1: submissions get onto their lists by one connection, so that none is waited for by those who hold all others', async () => {
  const lists = [await plainList(fairlead, 'One', {}), await plainList(fairlead, 'Two', {})]
  const forms = await Promise.all(
    lists.map((list) => openForm(fairlead, list, { email: 'E-mail', last: 'Last name' }, { push: false })),
  )
  for (const [n, form] of [...forms, ...forms].entries())
    await form.submit({ email: `p${n}@single.example`, last: `P${n}` })
  expect(await takeIn(single, fairlead.wiring.secrets, fairlead.accountId, 3)).toBe(3)
  expect(await takeIn(single, fairlead.wiring.secrets, fairlead.accountId, 3)).toBe(1)
  expect(await takeIn(single, fairlead.wiring.secrets, fairlead.accountId, 3)).toBe(0)
  for (const list of lists) expect(await list.records()).toHaveLength(2)
})

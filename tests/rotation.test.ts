import { afterAll, beforeAll, expect, test } from 'vitest'
import * as audits from '../src/db/audit.ts'
import * as connections from '../src/db/connection.ts'
import {
  candidateContext,
  connectionContext,
  createSecretBox,
  hashKeyContext,
  webhookContext,
} from '../src/db/secret.ts'
import * as webhooks from '../src/db/webhook.ts'
import { addConnection } from './api/rows.ts'
import { expectRefused, makeKey, openOperator, type Operator } from './support/operator.ts'

const password = 'the CRM’s password'
const newKey = makeKey('second')
const contexts = {
  account: hashKeyContext,
  connection: connectionContext,
  candidate: candidateContext,
  webhook: webhookContext,
}
let operator: Operator
let oldKey: string

/** Two accounts, a connection, and credentials that are being checked. */
beforeAll(async () => {
  operator = await openOperator()
  oldKey = operator.secretKeys
  const { db } = operator
  await operator.done('account', 'add', 'Example Ltd')
  await operator.done('account', 'add', 'Other Ltd')
  const id = await operator.accountId('Example Ltd')
  const connectionId = await addConnection(db, id)
  const box = createSecretBox(oldKey)
  await db.$client`update connections set secret = ${box.seal(password, connectionContext(connectionId))}`
  const { webhook } = await webhooks.insert(
    db,
    box,
    id,
    { url: 'https://hooks.example.com', events: [] },
    audits.operator,
  )
  await webhooks.update(db, box, id, webhook.id, { rotateSecret: true }, audits.operator)
  await connections.propose(db, box, id, { url: 'https://crm.example.com', username: 'u', password, mode: 'connect' })
}, 60_000)
afterAll(() => operator.close())

/** Every secret of the installation, with what it is bound to. */
const sealed = async (): Promise<[text: string, context: string][]> => {
  const rows = await operator.db.$client<{ kind: keyof typeof contexts; id: string; text: string }[]>`
    select 'account' as kind, id, hash_key as text from accounts
    union all select 'connection', id, secret from connections where secret is not null
    union all select 'candidate', connection_id, secret from connection_candidates
    union all select 'webhook', id, secret from webhooks
    union all select 'webhook', id, previous_secret from webhooks order by 1, 2`
  return rows.map(({ kind, id, text }) => [text, contexts[kind](id)])
}
const opened = async (keys: string): Promise<string[]> => {
  const box = createSecretBox(keys)
  return (await sealed()).map(([text, context]) => box.open(text, context))
}
const rotate = (keys: string) => operator.admin(['secrets', 'rotate'], { FAIRLEAD_SECRET_KEYS: keys })

test('O5, C1: without the old key nothing is rotated', async () => {
  const before = await sealed()
  expectRefused(await rotate(newKey), /needs the key "first"\. .+\. \(secretUnreadable\)/)
  expect(await sealed()).toEqual(before)
})

test('O5, C1: with both keys all secrets become readable by the new one alone, and by the old one no longer', async () => {
  const plain = await opened(oldKey)
  expect(plain.filter((text) => text === password)).toHaveLength(2)
  expect((await rotate(`${newKey},${oldKey}`)).out).toContain('6 secrets are encrypted anew, 0 were already.')
  expect(await opened(newKey)).toEqual(plain)
  const box = createSecretBox(oldKey)
  for (const [text, context] of await sealed())
    expect(() => box.open(text, context)).toThrow(expect.objectContaining({ code: 'secretUnreadable' }))
})

test('O5: rotating again finds nothing to do', async () => {
  const before = await sealed()
  expect((await rotate(`${newKey},${oldKey}`)).out).toContain('0 secrets are encrypted anew, 6 were already.')
  expect((await rotate(newKey)).code).toBe(0)
  expect(await sealed()).toEqual(before)
})

test('R37: no command prints a secret', async () => {
  const keys = [oldKey, newKey].map((key) => key.split(':')[1]!)
  for (const secret of [...keys, ...(await opened(newKey))]) expect(operator.printed()).not.toContain(secret)
})

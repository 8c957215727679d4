import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import * as apiKeys from '../src/db/apiKey.ts'
import * as audits from '../src/db/audit.ts'
import * as connections from '../src/db/connection.ts'
import { openDatabase } from '../src/db/database.ts'
import { addConnection, addRun } from './api/rows.ts'
import { expectRefused, keyIn, openOperator, type Operator } from './support/operator.ts'

let operator: Operator
beforeAll(async () => {
  operator = await openOperator()
})
afterAll(() => operator.close())

const actionsOf = async (name: string) => {
  const entries = await audits.page(operator.db, await operator.accountId(name), { limit: 100 })
  expect(entries.every(({ apiKeyId, requestId }) => apiKeyId === null && requestId === null)).toBe(true)
  return entries.map(({ action }) => action).reverse()
}
const addAccount = async (name: string): Promise<string> => keyIn(await operator.done('account', 'add', name))

describe('O5: accounts', () => {
  test('a new one has its first administrator key, which works and is audited', async () => {
    const key = keyIn(await operator.done('account', 'add', 'Example Ltd', '--time-zone', 'Europe/Berlin'))
    const id = await operator.accountId('Example Ltd')
    expect(await apiKeys.findByKey(operator.db, key)).toMatchObject({ accountId: id, role: 'admin', revokedAt: null })
    expect(await operator.db.$client`select time_zone from accounts where id = ${id}`).toMatchObject([
      { time_zone: 'Europe/Berlin' },
    ])
    expect(await actionsOf('Example Ltd')).toEqual(['account.create', 'apiKey.create'])
  })

  test('a name that is taken and a time zone that does not exist are refused, and nothing is stored', async () => {
    expectRefused(await operator.admin(['account', 'add', 'Example Ltd']), /^The name is taken\. .+\. \(nameTaken\)$/m)
    expectRefused(
      await operator.admin(['account', 'add', 'Elsewhere', '--time-zone', 'Europe/Entenhausen']),
      'is not a time zone',
    )
    expect(await operator.db.$client`select name from accounts`).toHaveLength(1)
  })

  test('C5: disabling stops the connector, enabling wakes what waits; the list shows which is which', async () => {
    await addAccount('Other Ltd')
    const id = await operator.accountId('Example Ltd')
    const run = {
      state: 'held' as const,
      connectionId: await addConnection(operator.db, id),
      workflowId: 'import:held',
    }
    await addRun(operator.db, id, run)
    expect(await operator.done('account', 'disable', 'Example Ltd')).toBe(
      'The connector of "Example Ltd" is disabled.\n',
    )
    const listed = (await operator.done('account', 'list')).trimEnd().split('\n')
    expect(listed.map((line) => line.split(/ {2,}/).slice(1))).toEqual([
      ['disabled', 'Example Ltd'],
      ['enabled', 'Other Ltd'],
    ])
    expect(await connections.getForWork(operator.db, id, run.connectionId)).toMatchObject({ enabled: false })
    await operator.done('account', 'enable', 'Example Ltd')
    expect(await connections.getForWork(operator.db, id, run.connectionId)).toMatchObject({ enabled: true })
    expect(await operator.db.$client`select kind, name from outbox where workflow_id = 'import:held'`).toMatchObject([
      { kind: 'signal', name: 'resume' },
    ])
    expect((await actionsOf('Example Ltd')).slice(2)).toEqual(['connector.disable', 'connector.enable'])
  })
})

test('O5: accounts of one name are told apart by id; a name that several have is refused', async () => {
  await addAccount('First Twin')
  await addAccount('Second Twin')
  const [first, second] = [await operator.accountId('First Twin'), await operator.accountId('Second Twin')]
  await operator.db.$client`update accounts set name = 'Twins Ltd' where id in (${first}, ${second})`
  for (const words of [
    ['account', 'disable', 'Twins Ltd'],
    ['key', 'add', 'Twins Ltd'],
  ])
    expectRefused(await operator.admin(words), 'Several accounts are named "Twins Ltd"; use the id')
  expect(await operator.done('account', 'disable', second)).toBe('The connector of "Twins Ltd" is disabled.\n')
  const listed = (await operator.done('account', 'list')).split('\n').filter((line) => line.includes('Twins Ltd'))
  expect(listed).toEqual([`${first}  enabled   Twins Ltd`, `${second}  disabled  Twins Ltd`])
  const key = keyIn(await operator.done('key', 'add', first))
  expect(await apiKeys.findByKey(operator.db, key)).toMatchObject({ accountId: first })
  // an account that calls itself by the id of another one is not mistaken for it
  await operator.db.$client`update accounts set name = ${first} where id = ${second}`
  expect(await operator.done('account', 'disable', first)).toBe('The connector of "Twins Ltd" is disabled.\n')
})

describe('O5, R36: keys', () => {
  test('are made with a role and an end, and revoked; the last administrator key stays', async () => {
    const first = (await apiKeys.findByKey(operator.db, await addAccount('Keys Ltd')))!
    const words = ['key', 'add', 'Keys Ltd', '--role', 'viewer', '--name', 'Reports', '--expires', '2999-12-31']
    const viewer = (await apiKeys.findByKey(operator.db, keyIn(await operator.done(...words))))!
    expect(viewer).toMatchObject({ role: 'viewer', name: 'Reports', expiresAt: new Date('2999-12-31') })
    expectRefused(
      await operator.admin(['key', 'revoke', 'Keys Ltd', first.id]),
      /^This is the last administrator key\. Make another/,
    )
    const second = (await apiKeys.findByKey(operator.db, keyIn(await operator.done('key', 'add', 'Keys Ltd'))))!
    expect(second).toMatchObject({ role: 'admin', name: 'admin', expiresAt: null })
    await operator.done('key', 'revoke', 'Keys Ltd', first.id)
    const keys = await apiKeys.page(operator.db, first.accountId, { limit: 10 })
    expect(keys.map(({ revokedAt }) => revokedAt !== null)).toEqual([true, false, false])
    expect((await actionsOf('Keys Ltd')).slice(2)).toEqual(['apiKey.create', 'apiKey.create', 'apiKey.revoke'])
  })

  test('of another account, or that do not exist, are not found', async () => {
    const stranger = (await apiKeys.findByKey(operator.db, await addAccount('Strangers Ltd')))!
    for (const id of [stranger.id, stranger.accountId, 'first'])
      expectRefused(await operator.admin(['key', 'revoke', 'Keys Ltd', id]), '(notFound)')
    expect(await apiKeys.page(operator.db, stranger.accountId, { limit: 10 })).toMatchObject([{ revokedAt: null }])
  })
})

test('O5, R25: wrong usage ends with exit code 1 and says what to do', async () => {
  const wrong: [string[], string | RegExp, Record<string, string>?][] = [
    [[], 'npm run admin -- account add NAME'],
    [['account', 'add'], 'Name the account.'],
    [['account', 'add', ' '], 'Name the account.'],
    [['account', 'disable', 'Nobody'], 'There is no account "Nobody"'],
    [['key', 'add', 'Keys Ltd', '--role', 'king'], '"king" is not a role'],
    [['key', 'add', 'Keys Ltd', '--expires', 'soon'], '"soon" is not a date'],
    [['key', 'add', 'Keys Ltd', '--expires', '2020-01-01'], 'is over already'],
    [['key', 'revoke', 'Keys Ltd'], 'Name the key by its id'],
    [['key', 'change', 'Keys Ltd'], 'Say key add or key revoke.'],
    [['secrets'], 'Say secrets rotate.'],
    [['account', 'list', '--verbose'], "Unknown option '--verbose'"],
    [['account', 'list'], 'FAIRLEAD_SECRET_KEYS: expected id:key', { FAIRLEAD_SECRET_KEYS: 'short' }],
    [
      ['account', 'list'],
      /Check DATABASE_URL.*ECONNREFUSED/,
      { DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/none' },
    ],
    [['account', 'list'], 'Check DATABASE_URL', { DATABASE_URL: `${operator.url}_gone` }],
  ]
  const before = await operator.db.$client`select count(*) from audit`
  const turns = [0, 1, 2]
  await Promise.all(
    turns.map(async (turn) => {
      for (const [words, sentence, environment] of wrong.filter((_, index) => index % turns.length === turn))
        expectRefused(await operator.admin(words, environment), sentence)
    }),
  )
  expect(await operator.db.$client`select count(*) from audit`).toEqual(before)
}, 60_000)

test('O5: migrate brings an empty database up to date, also when two do it at once', async () => {
  const maintenance = openDatabase(inject('databaseUrl'), { max: 1 })
  const name = `test_${randomBytes(6).toString('hex')}`
  await maintenance.$client.unsafe(`create database ${name}`)
  const DATABASE_URL = Object.assign(new URL(operator.url), { pathname: `/${name}` }).href
  const migrate = () => operator.admin(['migrate'], { DATABASE_URL })
  for (const said of await Promise.all([migrate(), migrate()]))
    expect(said).toEqual({ code: 0, out: 'The database is up to date.\n', err: '' })
  expect(await operator.admin(['account', 'list'], { DATABASE_URL })).toMatchObject({
    code: 0,
    out: 'There is no account yet.\n',
  })
  await maintenance.$client.unsafe(`drop database ${name} with (force)`)
  await maintenance.$client.end()
})

test('R36: a key is shown when it is made, once, and never again', async () => {
  const keys = operator.printed().match(/\bfl_[\w-]+/g)!
  const [made] = await operator.db.$client<[{ count: number }]>`select count(*)::int from api_keys`
  expect(keys).toHaveLength(made.count)
  expect(new Set(keys).size).toBe(keys.length)
  expect(operator.printed()).not.toContain(operator.secretKeys.split(':')[1])
})

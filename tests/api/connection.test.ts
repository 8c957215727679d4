import { eq } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as connections from '../../src/db/connection.ts'
import * as t from '../../src/db/schema.ts'
import { FairleadError, type ErrorCode } from '../../src/domain/errors.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addConnection, crmFields, field } from './rows.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi({ waitMs: 20_000 })
})
afterAll(() => api.close())
afterEach(() => {
  api.services.relay = async () => undefined
  api.app.waitMs = 20_000
})

const credentials = { url: 'https://crm.example.com', username: 'fairlead', password: 'correct horse' }

/** Does what the workflow would: settles the candidate of the account's connection a moment after it was asked for. */
const engine = (account: Account, settle: (key: connections.CandidateKey) => Promise<unknown>) => {
  api.services.relay = async () => {
    const key = await attemptOf(account)
    if (key !== undefined) setTimeout(() => void settle(key), 60)
  }
}

const attemptOf = async (account: Account): Promise<connections.CandidateKey | undefined> => {
  const connection = await connections.findActive(api.db, account.id)
  if (connection === undefined) return undefined
  const candidate = await connections.findCandidate(api.db, account.id, connection.id)
  return candidate && { connectionId: connection.id, candidateId: candidate.id }
}

const accept = (account: Account) => (key: connections.CandidateKey) =>
  connections.accept(api.db, api.secrets, account.id, key, {
    identity: {
      url: 'https://crm.example.com/sdata',
      version: '8.5.0',
      family: '8' as const,
      userId: 'ADMIN',
      userName: 'fairlead',
      administrator: true,
      rights: null,
    },
    username: 'fairlead',
    password: 'correct horse',
    fields: { lead: crmFields },
    otherCrm: false,
  })

const refuse = (account: Account, code: ErrorCode) => (key: connections.CandidateKey) => {
  const crm = { status: 401, code: 'Unauthorized', message: 'The CRM says no.' }
  return connections.refuse(api.db, account.id, key, new FairleadError(code, { crm }))
}

describe('C1: connecting', () => {
  test('an account without a connection is disconnected', async () => {
    const answer = await api.call('GET', '/v1/connection')
    expect(answer).toMatchObject({ status: 200, body: { id: null, state: 'disconnected', url: null } })
  })

  test('accepted credentials answer 200 with what was found', async () => {
    const account = await api.newAccount()
    engine(account, accept(account))
    const answer = await api.call('PUT', '/v1/connection', { key: account.keys.admin, body: credentials })
    expect(answer).toMatchObject({
      status: 200,
      body: {
        state: 'connected',
        url: 'https://crm.example.com/sdata',
        version: '8.5.0',
        family: '8',
        username: 'fairlead',
        problem: null,
      },
    })
    expect(answer.body.check).toEqual({ state: 'accepted', problem: null })
  })

  test.for([
    'invalidUrl',
    'hostNotAllowed',
    'notInforCrm',
    'crmUnreachable',
    'crmCertificate',
    'redirectRefused',
    'loginRefused',
    'passwordExpired',
    'mfaRequired',
    'notAdministrator',
  ] as const)('refused credentials answer with their own problem: %s', async (code) => {
    const account = await api.newAccount()
    engine(account, refuse(account, code))
    const { status, body } = await api.call('PUT', '/v1/connection', { key: account.keys.admin, body: credentials })
    expect(body).toMatchObject({
      code,
      status,
      crm: { status: 401, code: 'Unauthorized', message: 'The CRM says no.' },
    })
    const now = await api.call('GET', '/v1/connection', { key: account.keys.viewer })
    expect(now.body).toMatchObject({ state: 'disconnected', url: null, check: { state: 'refused', problem: { code } } })
    const [candidate] = await api.db.select().from(t.candidates).where(eq(t.candidates.accountId, account.id))
    expect(candidate?.secret).toBeNull()
  })

  test('a check that takes longer answers 202, and another one meanwhile 409', async () => {
    api.app.waitMs = 200
    const account = await api.newAccount()
    const answer = await api.call('PUT', '/v1/connection', { key: account.keys.admin, body: credentials })
    expect(answer).toMatchObject({ status: 202, body: { state: 'checking', check: { state: 'checking' } } })
    const again = await api.call('PUT', '/v1/connection', { key: account.keys.admin, body: credentials })
    expect(again.body).toMatchObject({ status: 409, code: 'connectionBusy' })
  })

  test('refused credentials leave a working connection as it was', async () => {
    const account = await api.newAccount()
    engine(account, accept(account))
    await api.call('PUT', '/v1/connection', { key: account.keys.admin, body: credentials })
    engine(account, refuse(account, 'loginRefused'))
    const body = { username: 'other', password: 'wrong' }
    expect((await api.call('POST', '/v1/connection/reconfirm', { key: account.keys.admin, body })).body.code).toBe(
      'loginRefused',
    )
    const now = await api.call('GET', '/v1/connection', { key: account.keys.viewer })
    expect(now.body).toMatchObject({ state: 'connected', username: 'fairlead', check: { state: 'refused' } })
  })

  test('C5: a disabled connector answers 409', async () => {
    const account = await api.newAccount()
    await api.db.update(t.accounts).set({ connectorEnabled: false }).where(eq(t.accounts.id, account.id))
    const answer = await api.call('PUT', '/v1/connection', { key: account.keys.admin, body: credentials })
    expect(answer.body.code).toBe('connectorDisabled')
  })

  test('a client that goes away is not waited for', async () => {
    const own = await openApi({ waitMs: 60_000 })
    await own.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = own.app.addresses()[0] as { port: number }
    const headers = { authorization: `Bearer ${own.account.keys.admin}`, 'content-type': 'application/json' }
    const gone = fetch(`http://127.0.0.1:${port}/v1/connection`, {
      method: 'PUT',
      headers,
      body: JSON.stringify(credentials),
      signal: AbortSignal.timeout(300),
    })
    await expect(gone).rejects.toThrow(/aborted|timeout/i)
    await own.close()
  })

  test('an API that closes answers what waits at once', async () => {
    const own = await openApi({ waitMs: 60_000 })
    const waiting = own.call('PUT', '/v1/connection', { body: credentials })
    await expect.poll(() => connections.findActive(own.db, own.account.id)).toBeDefined()
    await own.app.close()
    expect((await waiting).status).toBe(202)
    await own.close()
  })
})

describe('C2, C3: reconfirming and resetting', () => {
  test('without a connection both answer 409 notConnected', async () => {
    const { keys } = await api.newAccount()
    const body = { username: 'a', password: 'b' }
    expect((await api.call('POST', '/v1/connection/reconfirm', { key: keys.admin, body })).body.code).toBe(
      'notConnected',
    )
    expect((await api.call('POST', '/v1/connection/reset', { key: keys.admin })).body.code).toBe('notConnected')
  })

  test('a reset erases the secret and says so', async () => {
    const account = await api.newAccount()
    engine(account, accept(account))
    await api.call('PUT', '/v1/connection', { key: account.keys.admin, body: credentials })
    const answer = await api.call('POST', '/v1/connection/reset', { key: account.keys.admin })
    expect(answer).toMatchObject({ status: 200, body: { state: 'reset' } })
    const row = await connections.findActive(api.db, account.id)
    expect(row?.secret).toBeNull()
  })
})

describe('I3: the CRM’s fields', () => {
  test('are shown with what a choice needs to know', async () => {
    const account = await api.newAccount()
    await addConnection(api.db, account.id)
    const answer = await api.call('GET', '/v1/crm/fields?entity=lead', { key: account.keys.viewer })
    expect(answer).toMatchObject({ status: 200, body: { nextCursor: null, readAt: expect.any(String) } })
    expect(Object.keys(answer.body.items[0]).sort()).toEqual(
      ['address', 'custom', 'label', 'locked', 'maxLength', 'name', 'readOnly', 'required', 'type'].sort(),
    )
  })

  test('that hold a secret are not offered', async () => {
    const account = await api.newAccount()
    const connectionId = await addConnection(api.db, account.id)
    await connections.upsertFields(api.db, account.id, connectionId, 'lead', [...crmFields, field('UserPassword')])
    const { body } = await api.call('GET', '/v1/crm/fields?entity=lead', { key: account.keys.viewer })
    expect(body.items.map(({ name }: { name: string }) => name)).toEqual(crmFields.map(({ name }) => name))
  })

  test('refresh asks the CRM and waits for its answer, and gives the old ones with 202 when none comes', async () => {
    api.app.waitMs = 400
    const account = await api.newAccount()
    const connectionId = await addConnection(api.db, account.id)
    const url = '/v1/crm/fields?entity=contact&refresh=true'
    const late = await api.call('GET', url, { key: account.keys.viewer })
    expect(late.status).toBe(202)
    api.app.waitMs = 20_000
    api.services.relay = async () => {
      const fields = crmFields.slice(0, 2)
      setTimeout(() => void connections.upsertFields(api.db, account.id, connectionId, 'contact', fields), 60)
    }
    const fresh = await api.call('GET', url, { key: account.keys.viewer })
    expect(fresh).toMatchObject({ status: 200 })
    expect(fresh.body.items).toHaveLength(2)
    expect(Date.parse(fresh.body.readAt)).toBeGreaterThan(Date.parse(late.body.readAt))
  })

  test('a wrong entity and a missing connection are told apart', async () => {
    expect((await api.call('GET', '/v1/crm/fields?entity=account')).body).toMatchObject({
      code: 'invalidInput',
      errors: [{ path: 'entity' }],
    })
    expect((await api.call('GET', '/v1/crm/fields')).body.errors[0].path).toBe('entity')
    const { keys } = await api.newAccount()
    expect((await api.call('GET', '/v1/crm/fields?entity=lead', { key: keys.viewer })).body.code).toBe('notConnected')
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import * as connections from '../src/db/connection.ts'
import { connectionContext } from '../src/db/secret.ts'
import type { Crm, CrmConnector, CrmCredentials } from '../src/domain/crm.ts'
import { openCrms } from '../src/wiring.ts'
import { addConnection } from './api/rows.ts'
import { openApi, type TestApi } from './support/api.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  return () => vi.useRealTimers()
})

/** A connector that says who is open; nothing here reaches a CRM. */
const openAll = () => {
  const open = new Set<string>()
  const connector: CrmConnector = {
    open: ({ password }: CrmCredentials) => {
      open.add(password)
      return { close: async () => void open.delete(password) } as Crm
    },
  }
  return { open, crms: openCrms(api.db, api.secrets, connector, { timeoutMs: 1000 }) }
}
const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000)
const sealed = (id: string, password: string) => api.secrets.seal(password, connectionContext(id))
const connect = async (password: string): Promise<connections.Connection> => {
  const { id: accountId } = await api.newAccount()
  const id = await addConnection(api.db, accountId)
  return { ...(await connections.get(api.db, accountId, id)), secret: sealed(id, password) }
}

describe('C3: the CRM of a connection in a process', () => {
  test('is opened once and kept while it is used; a while afterwards it is forgotten with its password', async () => {
    const { open, crms } = openAll()
    const [used, unused] = [await connect('used'), await connect('unused')]
    const crm = crms.of(used)
    crms.of(unused)
    await minutes(29)
    expect([...open], 'an activity may take 30 minutes').toEqual(['used', 'unused'])
    expect(crms.of(used)).toBe(crm)
    await minutes(29)
    expect([...open]).toEqual(['used'])
    await minutes(5)
    expect([...open]).toEqual([])
    expect(crms.of(used)).not.toBe(crm)
    await crms.close()
    expect([...open]).toEqual([])
  })

  test('is forgotten at once when its secret changes or the connection is reset', async () => {
    const { open, crms } = openAll()
    const connection = await connect('old')
    crms.of(connection)
    const changed = { ...connection, secret: sealed(connection.id, 'new') }
    const crm = crms.of(changed)
    expect([...open]).toEqual(['new'])
    await minutes(20)
    expect(crms.of(changed)).toBe(crm)
    await minutes(20)
    expect([...open], 'the time of the old one does not end the new one').toEqual(['new'])
    expect(() => crms.of({ ...connection, secret: null })).toThrow(expect.objectContaining({ code: 'notConnected' }))
    expect([...open]).toEqual([])
  })
})

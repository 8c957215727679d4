import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi, type TestApi } from '../support/api.ts'
import { addList } from './rows.ts'

let api: TestApi
let listId: string
beforeAll(async () => {
  api = await openApi({}, { mailConfigured: true, publicUrl: 'https://fairlead.example' })
  listId = await addList(api.db, api.account.id, { name: 'Readers' })
})
afterAll(() => api.close())

const write = async (name: string): Promise<string> => {
  const from = { name: 'Example Ltd', email: 'news@example.com' }
  const html = '<p><a href="{{ unsubscribe_url }}">x</a></p>'
  const body = { name, subject: 'Hi', html, from, audience: { lists: [listId] } }
  return (await api.call('POST', '/v1/messages', { body })).body.id
}

test('G1: more messages are sent at once than there are connections to the database, and each is', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => write(`News ${index}`)))
  const at = new Date(Date.now() + 86_400_000).toISOString()
  const sent = await Promise.all(ids.map((id) => api.call('POST', `/v1/messages/${id}/send`, { body: { at } })))
  expect(sent.map(({ status }) => status)).toEqual(ids.map(() => 202))
})

test('a time that is past, however long, means at once', async () => {
  await api.call('POST', `/v1/lists/${listId}/records`, { body: { email: 'pat@example.com' } })
  const id = await write('Old news')
  const send = (at: string) => api.call('POST', `/v1/messages/${id}/send`, { body: { at } })
  expect((await send('0000-01-01T00:00:00.000Z')).status).toBe(202)
  expect((await api.call('GET', `/v1/messages/${id}`)).body).toMatchObject({ state: 'scheduled', scheduledAt: null })
})

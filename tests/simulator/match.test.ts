import { expect, test } from 'vitest'
import { open } from './support.ts'

const id = 'QFLEAD000010'
const path = `dynamic/-/leads('${id}')`

test('an etag is eight bytes and another one after every change of the row or of its address', async () => {
  const { json, control } = await open()
  const read = async (): Promise<string> => String((await json(path))['$etag'])
  const seen = [await read()]
  expect(seen[0]).toMatch(/^[\w+/]{11}=$/)
  expect(await read()).toBe(seen[0])
  const changes = [
    () => json(path, { method: 'PUT', body: { Title: 'CFO' } }),
    () => json(path, { method: 'PUT', body: { Address: { City: 'Kiel' } } }),
    () => control.edit({ entity: 'lead', id, values: { Title: 'CEO' } }),
    () => control.edit({ entity: 'lead', id, values: { Address: { City: 'Bonn' } } }),
    () => control.setModifyDate({ entity: 'lead', ids: [id], at: null }),
  ]
  for (const change of changes) {
    await change()
    seen.push(await read())
  }
  expect(new Set(seen).size).toBe(changes.length + 1)
})

test("a contact's etag follows its address, also where the address is changed by itself", async () => {
  const { json, control } = await open()
  const contact = "dynamic/-/contacts('CFCONT000010')"
  const before = (await json(contact))['$etag']
  const key = String(control.person('contact', 'CFCONT000010')?.['AddressId'])
  await json(`dynamic/-/addresses('${key}')`, { method: 'PUT', body: { City: 'Kiel' } })
  const after = (await json(contact))['$etag']
  expect(after).not.toBe(before)
  await json(`dynamic/-/addresses('${key}')?select=City`)
  expect((await json(contact))['$etag']).toBe(after)
})

test('a stale tag, bare or quoted, is refused with 412 and changes nothing; a fresh one passes', async () => {
  const { ask, json, control } = await open()
  const stale = String((await json(path))['$etag'])
  const changed = await json(path, { method: 'PUT', body: { Title: 'CFO' }, headers: { 'If-Match': stale } })
  expect(changed['Title']).toBe('CFO')
  for (const tag of [stale, `"${stale}"`, 'nonsense'])
    for (const method of ['PUT', 'DELETE']) {
      const answer = await ask(path, { method, body: { Title: 'Lost' }, headers: { 'If-Match': tag } })
      expect(answer.status).toBe(412)
      expect(await answer.json()).toMatchObject([{ severity: 'Error', sdataCode: 'ApplicationDiagnosis' }])
    }
  expect(control.person('lead', id)).toMatchObject({ Title: 'CFO' })
  expect(control.journal().at(-1)).toMatchObject({ status: 412, ifMatch: 'nonsense' })
  const quoted = `"${String(changed['$etag'])}"`
  expect((await ask(path, { method: 'PUT', body: { Title: 'CEO' }, headers: { 'If-Match': quoted } })).status).toBe(200)
  expect((await ask(path, { method: 'DELETE', headers: { 'If-Match': '*' } })).status).toBe(200)
})

test('an etag in the body does not count', async () => {
  const { ask } = await open()
  expect((await ask(path, { method: 'PUT', body: { $etag: 'stale', Title: 'CFO' } })).status).toBe(200)
})

test('a server can ignore the tag, or refuse a change without one', async () => {
  const { ask, json, control } = await open()
  const headers = { 'If-Match': 'stale' }
  control.settings({ ifMatch: 'ignore' })
  expect((await ask(path, { method: 'PUT', body: { Title: 'CFO' }, headers })).status).toBe(200)
  control.settings({ ifMatch: 'required' })
  const refused = await ask(path, { method: 'PUT', body: { Title: 'CEO' } })
  expect([refused.status, (await refused.json()) as unknown]).toMatchObject([
    400,
    [{ message: expect.stringContaining('If-Match') as string }],
  ])
  expect((await ask(path, { method: 'DELETE' })).status).toBe(400)
  expect((await ask(path, { method: 'PUT', body: { Title: 'CEO' }, headers })).status).toBe(412)
  const tag = String((await json(path))['$etag'])
  expect((await ask(path, { method: 'PUT', body: { Title: 'CEO' }, headers: { 'If-Match': tag } })).status).toBe(200)
  expect((await ask('dynamic/-/leads', { method: 'POST', body: { LastName: 'New', Company: 'Tagless' } })).status).toBe(
    201,
  )
})

test('writes answer the whole entity with its address and a fresh etag, or what they select', async () => {
  const { json } = await open()
  const body = { LastName: 'Whole', Company: 'Answer', Address: { City: 'Bonn' } }
  const made = await json('dynamic/-/leads', { method: 'POST', body })
  expect(made).toMatchObject({ LastName: 'Whole', Address: { City: 'Bonn', Country: null } })
  const own = `dynamic/-/leads('${made.$key}')`
  const changed = await json(own, { method: 'PUT', body: { Address: { City: 'Kiel' } } })
  expect(changed).toMatchObject({ LastName: 'Whole', Address: { City: 'Kiel' } })
  expect(changed['$etag']).not.toBe(made['$etag'])
  expect(changed['$etag']).toBe((await json(own))['$etag'])
  const some = await json(`${own}?select=Title,Address/City`, { method: 'PUT', body: { Title: 'CFO' } })
  expect(Object.keys(some).filter((name) => !name.startsWith('$'))).toEqual(['Title', 'Address'])
  expect(some['Address']).toMatchObject({ City: 'Kiel' })
  const linked = await json(`${own}?include=LeadSource`, { method: 'PUT', body: { Title: 'CEO' } })
  expect(linked['Address']).toHaveProperty('$url')
  expect(linked['Address']).not.toHaveProperty('City')
})

test('a refused nested address leaves its person as it was', async () => {
  const { ask, control } = await open()
  const before = control.person('lead', id)
  const body = { Title: 'Half', Address: { City: 'x'.repeat(33) } }
  expect((await ask(path, { method: 'PUT', body })).status).toBe(400)
  expect(control.person('lead', id)).toEqual(before)
})

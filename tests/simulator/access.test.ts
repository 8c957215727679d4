import { expect, test } from 'vitest'
import { basic, open, type Entry } from './support.ts'

const path = 'dynamic/-/leads?count=1'

test('wrong credentials get a challenge, and none where the client wants none', async () => {
  const { ask, simulator } = await open()
  for (const user of [null, 'admin:wrong', 'nobody:secret']) {
    const answer = await ask(path, { user })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="SalesLogix"'])
    const quiet = await ask(path, { user, headers: { 'X-Authorization-Mode': 'no-challenge' } })
    expect([quiet.status, quiet.headers.get('www-authenticate')]).toEqual([403, null])
  }
  expect((await fetch(`${simulator.url}/`)).headers.get('content-type')).toContain('text/html')
})

test('getCurrentUser tells who asks, with a padded id', async () => {
  const { json, control } = await open({ username: 'Boss', password: 'pä:ss' })
  const me = (user: string) =>
    json<{ response: Entry }>('system/-/$service/getCurrentUser', { method: 'POST', body: {}, user })
  const boss = (await me('boss:pä:ss')).response
  expect(boss).toMatchObject({ userId: 'ADMIN       ', userName: 'Boss', roles: ['Administrator', 'Standard User'] })
  expect(boss['securedActions']).toContain('Entities/Lead/Add')
  control.setUser({ username: 'lee', password: 'x' })
  const lee = (await me('lee:x')).response
  expect(lee).toMatchObject({ userId: 'U6UJ9A000001', prettyName: 'Lee Hogan' })
  expect(lee['securedActions']).not.toContain('Entities/Lead/Delete')
})

test('an expired password and a missing second factor are told apart from a wrong password', async () => {
  const { ask, control } = await open()
  control.setUser({ username: 'admin', expired: true })
  const expired = await ask(path)
  expect([expired.status, await expired.text()]).toEqual([
    403,
    expect.stringContaining('Sage.SalesLogix.User.Rules.IsValidPassword'),
  ])
  control.setUser({ username: 'admin', expired: false, mfa: true })
  const factor = await ask(path)
  expect([factor.status, await factor.json()]).toEqual([
    401,
    expect.objectContaining({ mfaRequired: true, hasDevices: true }),
  ])
  control.setUser({ username: 'admin', mfa: false })
  expect((await ask(path)).status).toBe(200)
})

test('rights hold: a user without them is refused by name', async () => {
  const { ask, control } = await open()
  control.setUser({ username: 'cathy', password: 'x', securedActions: ['Entities/Lead/View'] })
  const user = 'cathy:x'
  expect((await ask(path, { user })).status).toBe(200)
  expect((await ask('dynamic/-/contacts', { user })).status).toBe(403)
  const write = await ask("dynamic/-/leads('QFLEAD000010')", { method: 'PUT', body: { Title: 'x' }, user })
  expect([write.status, await write.text()]).toEqual([403, expect.stringContaining('Entities/Lead/Edit')])
})

test('field-level security hides a property, blanks it, or keeps it from being written', async () => {
  const { ask, json, control } = await open()
  const rule = { entity: 'Lead', access: 'NoAccess' as const }
  control.setUser({
    username: 'cathy',
    password: 'x',
    restrictions: [
      { ...rule, property: 'Email' },
      { ...rule, property: 'Company', shows: 'null' },
      { entity: 'Lead', property: 'Title', access: 'ReadOnly' },
    ],
  })
  const user = 'cathy:x'
  const lead = await json("dynamic/-/leads('QFLEAD000010')?include=$permissions", { user })
  expect(lead).not.toHaveProperty('Email')
  expect(lead['Company']).toBeNull()
  expect(lead['$permissions']).toContainEqual({ name: 'Title', access: 'ReadOnly' })
  await ask("dynamic/-/leads('QFLEAD000010')", { method: 'PUT', body: { Title: 'Mine', Department: 'x' }, user })
  expect(control.person('lead', 'QFLEAD000010')?.['Title']).not.toBe('Mine')
})

test('owner security hides rows from feeds, totals, single reads and writes', async () => {
  const { ask, json, control } = await open()
  const people = control.people({ entity: 'lead', count: 1000 }).items
  const hidden = people.filter((lead) => lead['OwnerId'] === 'SYST00000001')
  control.setUser({ username: 'cathy', password: 'x', hiddenOwners: ['SYST00000001'] })
  const user = 'cathy:x'
  const feed = await json<{ $totalResults: number; $resources: Entry[] }>(
    'dynamic/-/leads?count=1000&select=Id&orderby=Id',
    { user },
  )
  expect(feed.$totalResults).toBe(people.length - hidden.length)
  expect(feed.$resources).toHaveLength(feed.$totalResults)
  expect((await ask(`dynamic/-/leads('${hidden[0]?.Id}')`, { user })).status).toBe(404)
  expect((await ask(`dynamic/-/leads('${hidden[0]?.Id}')`)).status).toBe(200)
})

test('a session lasts as long as its cookie comes back', async () => {
  const { ask, control } = await open()
  const first = await ask(path)
  const cookies = first.headers.getSetCookie().map((cookie) => String(cookie.split(';')[0]))
  expect(cookies.map((cookie) => cookie.split('=')[0])).toEqual(['ASP.NET_SessionId', '.SLXAUTH'])
  const again = await ask(path, { headers: { Cookie: cookies.join('; ') } })
  expect(again.headers.getSetCookie()).toEqual([])
  await ask(path)
  expect(control.gauges().sessions).toBe(2)
})

test.each([401, 403] as const)(
  'with one session at a time a second one is refused with %d while a request is under way',
  async (status) => {
    const { ask, simulator, control } = await open()
    const first = await ask(path)
    const Cookie = first.headers
      .getSetCookie()
      .map((cookie) => String(cookie.split(';')[0]))
      .join('; ')
    control.settings({ oneSession: status })
    control.addFault({ kind: 'slow', ms: 400, times: 1 })
    const url = `${simulator.url}/sdata/slx/${path}&format=json`
    const slow = fetch(url, { headers: { Authorization: basic('admin:secret'), Cookie } })
    while (control.gauges().inFlight === 0) await new Promise((resolve) => void setTimeout(resolve, 5))
    expect((await ask(path)).status).toBe(status)
    expect((await ask(path, { headers: { Cookie } })).status).toBe(200)
    expect((await slow).status).toBe(200)
    expect((await ask(path)).status).toBe(200)
  },
)

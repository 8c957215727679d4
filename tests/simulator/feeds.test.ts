import { assert, asyncProperty, integer } from 'fast-check'
import { expect, test } from 'vitest'
import { open, type Entry, type Feed } from './support.ts'

test('the root of a contract lists its kinds', async () => {
  const { feed } = await open()
  const kinds = (await feed('dynamic/-/')).$resources.map(({ $key }) => $key)
  expect(kinds).toEqual([
    'leads',
    'contacts',
    'accounts',
    'addresses',
    'history',
    'users',
    'userInfo',
    'owners',
    'leadSources',
  ])
  expect((await feed('system/-/')).$resources.map(({ $key }) => $key)).toContain('picklists')
})

test('a feed gives 100 rows unless it is asked for more, and never more than the largest page', async () => {
  const { feed } = await open({ maxPage: 150 })
  expect((await feed('dynamic/-/leads')).$resources).toHaveLength(100)
  const page = await feed('dynamic/-/leads?count=1000')
  expect([page.$resources.length, page.$itemsPerPage, page.$totalResults]).toEqual([150, 150, 300])
  expect((await feed('dynamic/-/leads?count=0')).$resources).toEqual([])
})

test('startIndex counts from 1, takes 0 for 1, and $next leads to the end', async () => {
  const { feed, simulator } = await open()
  const whole = (await feed('dynamic/-/leads?count=1000&select=Id')).$resources.map(({ $key }) => $key)
  expect((await feed('dynamic/-/leads?startIndex=0&count=2&select=Id')).$resources[0]?.$key).toBe(whole[0])
  expect((await feed('dynamic/-/leads?startIndex=2&count=2&select=Id')).$resources[0]?.$key).toBe(whole[1])
  const walked: string[] = []
  let next: string | undefined =
    `${simulator.url}/sdata/slx/dynamic/-/leads?format=json&count=70&select=Id&startIndex=1`
  while (next !== undefined) {
    const page = (await (
      await fetch(next, { headers: { Authorization: `Basic ${btoa('admin:secret')}` } })
    ).json()) as Feed
    walked.push(...page.$resources.map(({ $key }) => $key))
    next = page.$next
  }
  expect(walked).toEqual(whole)
})

test('paging by key visits every row once, in order, whatever was added and removed', async () => {
  const { keys, control } = await open({ leads: 60, contacts: 0 })
  await assert(
    asyncProperty(
      integer({ min: 0, max: 20 }),
      integer({ min: 0, max: 5 }),
      integer({ min: 4, max: 50 }),
      async (added, removed, count) => {
        control.add({ entity: 'lead', count: added })
        control.remove({ entity: 'lead', random: removed })
        const found = await keys('leads', count)
        const truth = control.people({ entity: 'lead', count: 5000 }).items.map(({ Id }) => Id)
        expect(found).toEqual(truth)
        expect(found).toHaveLength(control.counts()['leads'] ?? 0)
        expect(found.map((id) => id.toUpperCase())).toEqual(found.map((id) => id.toUpperCase()).sort())
      },
    ),
    { numRuns: 10 },
  )
})

test('a row at an offset in key order is found without reading what lies before it', async () => {
  const { feed, control } = await open({ leads: 5000 })
  control.add({ entity: 'lead', count: 40 })
  control.remove({ entity: 'lead', random: 40 })
  const truth = control.people({ entity: 'lead', count: 10_000 }).items.map(({ Id }) => Id)
  for (const at of [1, 777, 2500, 4999, 5000]) {
    const page = await feed(`dynamic/-/leads?count=1&select=Id&orderby=Id&startIndex=${at}`)
    expect(page.$resources[0]?.$key).toBe(truth[at - 1])
  }
  expect(
    (await feed('dynamic/-/leads?count=2&select=Id&orderby=Id%20desc')).$resources.map(({ $key }) => $key),
  ).toEqual(truth.slice(-2).toReversed())
})

test('with select only the chosen properties come back, in canonical case, nested ones below their relation', async () => {
  const { json } = await open()
  const lead = await json("dynamic/-/leads('QFLEAD000010')?select=EMAIL,address/city,Owner")
  expect(Object.keys(lead).filter((name) => !name.startsWith('$'))).toEqual(['Email', 'Owner', 'Address'])
  expect(Object.keys(lead['Address'] as Entry).filter((name) => !name.startsWith('$'))).toEqual(['City'])
  expect((lead['Owner'] as Entry).$key).toMatch(/^\w{12}$/)
})

test('without select all scalars come with links, and include unfolds one', async () => {
  const { json } = await open()
  const contact = await json("dynamic/-/contacts('CFCONT000010')?include=Account,$permissions")
  expect(contact).toHaveProperty('LastName')
  expect(contact['$permissions']).toEqual([])
  expect(contact['Account']).toHaveProperty('AccountName')
  expect(Object.keys(contact['Owner'] as Entry)).toEqual(['$key', '$url', '$lookup', '$descriptor'])
  expect(Object.keys(contact['Addresses'] as Entry)).toEqual(['$url'])
  const keys = await json("dynamic/-/contacts('CFCONT000010')?precedence=0")
  expect(Object.keys(keys).every((name) => name.startsWith('$'))).toBe(true)
})

test('one row answers to single and double quotes, percent sequences and trailing blanks', async () => {
  const { json } = await open()
  for (const key of ["'QFLEAD000010'", '"QFLEAD000010"', '%27QFLEAD000010%27', "'qflead000010%20%20'"])
    expect((await json(`dynamic/-/leads(${key})?select=Id`)).$key).toBe('QFLEAD000010')
})

test('related rows have addresses of their own', async () => {
  const { json, feed } = await open()
  const account = await json("dynamic/-/contacts('CFCONT000010')/Account")
  const contacts = await feed(`dynamic/-/accounts('${account.$key}')/Contacts`)
  expect(contacts.$resources.map(({ $key }) => $key)).toContain('CFCONT000010')
  expect(await json("dynamic/-/leads('QFLEAD000010')/Address")).toHaveProperty('City')
})

test('an entry has an etag that changes with it, and answers 304 to one that is still true', async () => {
  const { ask, control } = await open()
  const path = "dynamic/-/leads('QFLEAD000010')"
  const etag = String((await ask(path)).headers.get('etag'))
  expect(Buffer.from(etag, 'base64')).toHaveLength(8)
  expect((await ask(path, { headers: { 'If-None-Match': etag } })).status).toBe(304)
  control.edit({ entity: 'lead', id: 'QFLEAD000010', values: { Title: 'CEO' } })
  expect((await ask(path, { headers: { 'If-None-Match': etag } })).status).toBe(200)
})

test('JSON needs format=json: the Accept header alone gives Atom', async () => {
  const { plain, control } = await open()
  const path = 'dynamic/-/leads?count=3&select=Email,ModifyDate,CRegion,Address/City'
  const accept = { headers: { Accept: 'application/json' } }
  const atom = await plain(path, accept)
  expect(atom.headers.get('content-type')).toContain('application/atom+xml;type=feed')
  const text = await atom.text()
  expect(text).toContain('<opensearch:totalResults>300</opensearch:totalResults>')
  expect(text.match(/<slx:Lead sdata:key="/g)).toHaveLength(3)
  expect(text).toMatch(/<slx:ModifyDate>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00<\/slx:ModifyDate>/)
  control.settings({ jsonByAccept: true })
  expect((await plain(path, accept)).headers.get('content-type')).toContain('application/json')
})

test('switches change how values are written', async () => {
  const { json, ask, control } = await open()
  const path = "dynamic/-/leads('QFLEAD000010')?select=ModifyDate,DoNotEmail,ModifyUser"
  expect((await json(path))['ModifyDate']).toMatch(/^\/Date\(-?\d+\)\/$/)
  control.settings({ dates: 'iso', booleans: 'letters', padIds: true, bom: true })
  const bytes = Buffer.from(await (await ask(path)).arrayBuffer())
  expect(bytes.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]))
  const lead = JSON.parse(bytes.subarray(3).toString()) as Entry
  expect(lead.$key).toBe('QFLEAD000010    ')
  expect(lead['ModifyDate']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
  expect(lead['DoNotEmail']).toBe('F')
  expect(lead['ModifyUser']).toHaveLength(12)
})

test('_compact leaves links out, but not on 7.5.4', async () => {
  const { feed, control } = await open()
  const path = 'dynamic/-/leads?count=1&select=Email&_compact=true'
  expect(Object.keys((await feed(path)).$resources[0] as Entry)).toEqual(['$key', '$etag', 'Email'])
  control.settings({ mode: '7.5.4' })
  expect(Object.keys((await feed(path)).$resources[0] as Entry)).toContain('$url')
})

test('a long query travels as POST with the URL as its body, and long URLs can be refused', async () => {
  const { plain, ask, simulator, control } = await open()
  const url = `${simulator.url}/sdata/slx/dynamic/-/leads?format=json&select=Id&where=${encodeURIComponent("Id in ('QFLEAD000010')")}`
  const answer = await plain('dynamic/-/leads', {
    method: 'POST',
    body: url,
    headers: { 'X-HTTP-Method-Override': 'GET' },
  })
  expect(((await answer.json()) as Feed).$resources.map(({ $key }) => $key)).toEqual(['QFLEAD000010'])
  control.settings({ maxUrl: 2000 })
  expect((await ask(`dynamic/-/leads?where=${encodeURIComponent(`Email eq '${'x'.repeat(2000)}'`)}`)).status).toBe(414)
})

test('a virtual directory can stand before the contracts', async () => {
  const { feed, simulator } = await open({ basePath: '/SlxClient/sdata' })
  expect((await feed('dynamic/-/leads?count=1')).$resources).toHaveLength(1)
  expect((await fetch(`${simulator.url}/sdata/slx/dynamic/-/leads`)).status).toBe(404)
})

test('decimals keep every digit, awkward texts arrive as they are', async () => {
  const { ask, json, control } = await open()
  control.edit({
    entity: 'lead',
    id: 'QFLEAD000010',
    values: { CBudget: '12345678901234567.89', Notes: 'a\u0000b \ud83d c "q" \\ 🚀' },
  })
  expect(await (await ask("dynamic/-/leads('QFLEAD000010')?select=CBudget")).text()).toContain(
    '"CBudget":12345678901234567.89',
  )
  expect((await json("dynamic/-/leads('QFLEAD000010')?select=Notes"))['Notes']).toBe('a\u0000b \ud83d c "q" \\ 🚀')
})

import { expect, test } from 'vitest'
import { open, type Entry } from './support.ts'

const url = 'dynamic/-/leads/$batch'
const put = (key: string, values: Record<string, unknown>) => ({ $httpMethod: 'PUT', $key: key, ...values })
const post = (name: string) => ({ $httpMethod: 'POST', LastName: name, Company: 'Batch' })
const ids = ['QFLEAD000010', 'QFLEAD000020', 'QFLEAD000030', 'QFLEAD000040'] as [string, string, string, string]

type Asking = Awaited<ReturnType<typeof open>>

const run = async ({ ask }: Asking, items: unknown[], path = url): Promise<Entry[]> => {
  const answer = await ask(path, { method: 'POST', body: { $resources: items } })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { $resources: Entry[] }).$resources
}

test('items are answered in their order, each with its own outcome, and what succeeded stays', async () => {
  const crm = await open()
  const { json, control } = crm
  const etag = (await json(`dynamic/-/leads('${ids[1]}')`))['$etag']
  const answers = await run(crm, [
    put(ids[0], { Title: 'First' }),
    post('Made'),
    { ...put(ids[1], { Title: 'Fresh' }), $ifMatch: etag },
    { ...put(ids[1], { Title: 'Stale' }), $ifMatch: etag },
    put(ids[2], { Company: 'x'.repeat(200) }),
    put('QFLEADNOBODY', { Title: 'x' }),
    { $httpMethod: 'GET', $url: `http://crm/sdata/slx/dynamic/-/leads(%27${ids[2]}%27)?format=json` },
    { $httpMethod: 'DELETE', $key: ids[3] },
  ])
  expect(answers.map(({ $httpStatus }) => $httpStatus)).toEqual([200, 201, 200, 412, 400, 404, 200, 200])
  expect(answers[0]).toMatchObject({ $key: ids[0], Title: 'First', Address: { $key: expect.any(String) as string } })
  expect(answers[1]).toMatchObject({ LastName: 'Made', Status: 'New' })
  expect(answers[2]?.['$etag']).not.toBe(etag)
  expect(answers[3]).toMatchObject({ $key: ids[1], $diagnoses: [{ severity: 'Error' }] })
  expect(answers[4]).toMatchObject({
    $diagnoses: [{ message: expect.stringContaining('Company is too long') as string }],
  })
  expect(answers[6]).toMatchObject({ $key: ids[2] })
  expect(answers[7]).toEqual({ $httpMethod: 'DELETE', $httpStatus: 200, $key: ids[3] })
  expect(control.person('lead', ids[1])).toMatchObject({ Title: 'Fresh' })
  expect(control.person('lead', String(answers[1]?.$key))).toMatchObject({ Company: 'Batch' })
  expect(control.person('lead', ids[3])).toBeNull()
})

test('the address may be percent-encoded, and select keeps answers short', async () => {
  const crm = await open()
  const [answer] = await run(crm, [put(ids[0], { Title: 'Short' })], 'dynamic/-/leads/%24batch?select=Title')
  expect(Object.keys(answer ?? {}).filter((name) => !name.startsWith('$'))).toEqual(['Title'])
})

test('decimals of many digits pass through a batch whole', async () => {
  const { plain, control } = await open()
  const item = `{"$resources":[{"$httpMethod":"PUT","$key":"${ids[0]}","CBudget":12345678901234567.89}]}`
  const answer = await plain(`${url}?format=json`, { method: 'POST', body: item })
  expect(await answer.text()).toContain('"CBudget":12345678901234567.89')
  expect(control.person('lead', ids[0])).toMatchObject({ CBudget: '12345678901234567.89' })
})

test('items that make no sense are refused alone', async () => {
  const crm = await open()
  const answers = await run(crm, [
    { $httpMethod: 'PUT', Title: 'Nobody' },
    { $httpMethod: 'PATCH', $key: ids[0] },
    { $httpMethod: 'PUT', $url: "http://crm/sdata/slx/dynamic/-/contacts('CFCONT000010')", Title: 'x' },
    'nonsense',
    put(ids[0], { Title: 'Good' }),
  ])
  expect(answers.map(({ $httpStatus }) => $httpStatus)).toEqual([400, 400, 400, 400, 200])
})

test('poisoned and forbidden rows and missing rights strike their items only', async () => {
  const crm = await open()
  const { control } = crm
  control.addFault({ kind: 'poison', ids: [ids[0]] })
  control.addFault({ kind: 'forbidden', ids: [ids[1]] })
  const statuses = async (): Promise<unknown[]> =>
    (await run(crm, [...ids.slice(0, 3).map((key) => put(key, { Title: 'Struck' })), post('Struck')])).map(
      ({ $httpStatus }) => $httpStatus,
    )
  expect(await statuses()).toEqual([500, 403, 200, 201])
  control.clearFaults()
  control.setUser({
    username: 'admin',
    password: 'secret',
    securedActions: ['Entities/Lead/View', 'Entities/Lead/Edit'],
  })
  expect(await statuses()).toEqual([200, 200, 200, 403])
})

test('a server can lack batches or allow few items', async () => {
  const { ask, control } = await open()
  const send = (count: number): Promise<Response> =>
    ask(url, { method: 'POST', body: { $resources: Array.from({ length: count }, () => post('Many')) } })
  expect([(await send(100)).status, (await send(101)).status]).toEqual([200, 400])
  control.settings({ batchMax: 2 })
  expect((await send(3)).status).toBe(400)
  expect((await ask(url, { method: 'POST', body: { Title: 'x' } })).status).toBe(400)
  expect((await ask(url)).status).toBe(405)
  control.settings({ batch: 'off' })
  const off = await send(1)
  expect([off.status, await off.json()]).toMatchObject([404, [{ sdataCode: 'ApplicationNotFound' }]])
  expect(control.counts()['leads']).toBe(400)
})

test('the journal notes a batch as one request with its body and the number of its items', async () => {
  const crm = await open()
  const { control, ask } = crm
  control.resetGauges()
  await run(crm, [put(ids[0], { Title: 'x' }), post('Noted')])
  control.addFault({ kind: 'dropAfterWrite', times: 1 })
  await expect(ask(url, { method: 'POST', body: { $resources: [post('Lost')] } })).rejects.toThrow('fetch failed')
  const [line, lost] = control.journal()
  expect(line).toMatchObject({ method: 'POST', status: 200, items: 2, path: '/sdata/slx/dynamic/-/leads/$batch' })
  expect(line?.body).toContain('"LastName":"Noted"')
  expect(lost).toMatchObject({ status: 0, items: 1 })
  expect(control.gauges()).toMatchObject({ requests: 2, writes: 2, items: 3 })
})

test('each item can take its time', async () => {
  const crm = await open()
  crm.control.settings({ batchItemMs: 20 })
  const started = performance.now()
  await run(crm, [post('One'), post('Two'), post('Three')])
  expect(performance.now() - started).toBeGreaterThan(55)
})

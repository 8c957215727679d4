import { expect, test } from 'vitest'
import { open, type Entry } from './support.ts'

test('the truth is what the feed says, also after changes', async () => {
  const { control, feed } = await open()
  control.edit({
    entity: 'lead',
    id: 'QFLEAD000010',
    values: { CScore: 7.25, Owner: 'F6UJ9A000001', Address: { City: 'Ulm' }, ModifyDate: '2026-05-05T05:05:05.005Z' },
  })
  const { ids } = control.add({ entity: 'lead', values: { CBirthday: '1980-02-29', DoNotEmail: null } })
  control.remove({ entity: 'lead', ids: ['QFLEAD000020'] })
  const truth = control.people({ entity: 'lead', count: 1000 }).items
  expect(truth.find(({ Id }) => Id === 'QFLEAD000010')).toMatchObject({
    CScore: 7.25,
    OwnerId: 'F6UJ9A000001',
    Address: { City: 'Ulm' },
    ModifyDate: '2026-05-05T05:05:05.005Z',
  })
  expect(truth.find(({ Id }) => Id === ids[0])).toMatchObject({ CBirthday: '1980-02-29', DoNotEmail: null })
  expect(truth.map(({ Id }) => Id)).not.toContain('QFLEAD000020')
  const rows = (await feed('dynamic/-/leads?count=1000&select=Email,CScore,LeadFullName,ModifyDate,Address/City'))
    .$resources
  const date = (value: unknown): number | null => (value === null ? null : Number(/-?\d+/.exec(String(value))?.[0]))
  expect(
    rows.map((row) => [
      row.$key,
      row['Email'],
      row['CScore'],
      row['LeadFullName'],
      date(row['ModifyDate']),
      (row['Address'] as Entry | null)?.['City'],
    ]),
  ).toEqual(
    truth.map((lead) => [
      lead.Id,
      lead['Email'],
      lead['CScore'],
      lead['LeadFullName'],
      lead['ModifyDate'] === null ? null : Date.parse(String(lead['ModifyDate'])),
      lead.Address?.['City'],
    ]),
  )
})

test('a mass update gives many rows one ModifyDate', async () => {
  const { control, find } = await open()
  const { ids, modifyDate } = control.massUpdate({
    entity: 'lead',
    where: "Status eq 'New'",
    values: { Priority: 'High' },
  })
  expect(await find(`ModifyDate eq @${modifyDate}@`)).toEqual(ids)
  expect(ids.length).toBeGreaterThan(5)
})

test('a script changes the CRM between two pages', async () => {
  const { control, feed } = await open()
  control.script({
    afterRequests: 2,
    match: { kind: 'leads' },
    do: [
      { add: { entity: 'lead', count: 5 } },
      { remove: { entity: 'lead', ids: ['QFLEAD000010'] } },
      { edit: { entity: 'lead', id: 'QFLEAD000020', values: { Title: 'Changed' } } },
    ],
  })
  const totals: unknown[] = []
  for (const path of [
    'dynamic/-/contacts?count=1',
    'dynamic/-/leads?count=1',
    'dynamic/-/leads?count=1',
    'dynamic/-/leads?count=1',
  ])
    totals.push((await feed(path)).$totalResults)
  expect(totals).toEqual([100, 300, 300, 304])
  expect(control.person('lead', 'QFLEAD000020')?.['Title']).toBe('Changed')
  expect(control.scripts()).toEqual([])
})

test('the journal holds requests and whole writes, the gauges count them', async () => {
  const { ask, control } = await open()
  control.resetGauges()
  control.settings({ latencyMs: 40 })
  await Promise.all(
    Array.from({ length: 5 }, () =>
      ask('dynamic/-/leads?count=2&select=Email', { headers: { 'User-Agent': 'probe/1' } }),
    ),
  )
  await ask("dynamic/-/leads('QFLEAD000010')", { method: 'PUT', body: { Title: 'x' } })
  await ask('dynamic/-/contacts?select=Email,WebPassword')
  await ask("dynamic/-/contacts('CFCONT000010')")
  const gauges = control.gauges()
  expect(gauges).toMatchObject({
    requests: 8,
    inFlight: 0,
    writes: 1,
    byStatus: { 200: 8 },
    secretReads: 1,
    secretReplies: 1,
    rows: 110,
  })
  expect(gauges.maxInFlight).toBeGreaterThan(1)
  expect(control.journal()[0]).toMatchObject({
    method: 'GET',
    path: '/sdata/slx/dynamic/-/leads',
    query: ['count', 'select', 'format'],
    status: 200,
    user: 'admin',
    userAgent: 'probe/1',
  })
  expect(control.journal().find(({ method }) => method === 'PUT')).toMatchObject({ body: '{"Title":"x"}' })
  expect(control.journal().filter(({ secret }) => secret)).toHaveLength(1)
})

test('everything can be done over HTTP from another process', async () => {
  const { simulator, ask } = await open()
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${simulator.url}/_simulator/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return answer.ok ? answer.json() : [answer.status, ((await answer.json()) as { error: string }).error]
  }
  expect(await call('GET', 'counts')).toMatchObject({ leads: 300, contacts: 100, history: 0 })
  expect(await call('GET', 'people?entity=lead&count=2&after=QFLEAD000010&select=Email,Address/City')).toMatchObject({
    next: 'QFLEAD000030',
    items: [{ Id: 'QFLEAD000020' }, { Id: 'QFLEAD000030' }],
  })
  expect(await call('POST', 'edit', { entity: 'lead', id: 'QFLEAD000010', values: { Title: 'CFO' } })).toMatchObject({
    Title: 'CFO',
  })
  expect(await call('GET', 'person?entity=lead&id=QFLEAD000010')).toMatchObject({ Title: 'CFO' })
  expect(await call('POST', 'settings', { latencyMs: 1 })).toMatchObject({ latencyMs: 1, mode: '8.x' })
  expect(await call('POST', 'faults', { kind: 'tooMany', times: 1 })).toEqual({ ids: ['fault1'] })
  expect((await ask('dynamic/-/leads')).status).toBe(429)
  expect(await call('DELETE', 'faults')).toEqual({})
  expect(await call('POST', 'users', { username: 'new', password: 'x', role: 'admin' })).toMatchObject({
    role: 'admin',
  })
  expect(await call('POST', 'mass-update', { entity: 'contact', count: 3, values: { Title: 'x' } })).toMatchObject({
    ids: ['CFCONT000000', 'CFCONT000010', 'CFCONT000020'],
  })
  expect(await call('POST', 'scripts', { afterRequests: 1, do: [] })).toEqual({ id: 'script1' })
  expect(await call('GET', 'journal?kind=leads')).toMatchObject([{ status: 429 }])
  expect(await call('POST', 'gauges/reset')).toEqual({})
  expect(await call('GET', 'gauges')).toMatchObject({ requests: 0 })
  expect(await call('POST', 'edit', { entity: 'lead', id: 'nobody', values: {} })).toEqual([
    400,
    'There is no lead nobody',
  ])
  expect(await call('POST', 'settings', { nonsense: 1 })).toEqual([400, 'There is no setting nonsense'])
  expect(await call('GET', 'nonsense')).toEqual([404, 'There is no GET /_simulator/nonsense'])
})

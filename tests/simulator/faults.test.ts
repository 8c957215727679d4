import { expect, test } from 'vitest'
import type { Fault } from '../../src/simulator/faults.ts'
import { open, type Feed } from './support.ts'

const page = 'dynamic/-/leads?count=10&select=Id'

test.each<[Fault, number, string]>([
  [{ kind: 'unavailable', retryAfter: 3 }, 503, 'unavailable'],
  [{ kind: 'tooMany' }, 429, 'Slow down'],
  [{ kind: 'htmlError' }, 500, '<!DOCTYPE html>'],
  [{ kind: 'errorArray', message: 'Told under 200' }, 200, '[{"severity":"Error"'],
  [{ kind: 'diagnoses' }, 500, '{"$diagnoses":[{'],
  [{ kind: 'textError' }, 500, "We're sorry"],
  [{ kind: 'xmlError', status: 400 }, 400, '<sdata:severity>error</sdata:severity>'],
  [{ kind: 'emptyError', status: 502 }, 502, ''],
  [{ kind: 'forbidden' }, 403, 'do not have access'],
  [{ kind: 'expired' }, 403, 'IsValidPassword'],
  [{ kind: 'mfa' }, 401, '"mfaRequired":true'],
  [{ kind: 'disabledKind', name: 'leads' }, 404, 'ApplicationNotFound'],
])('a fault answers in place of the CRM: %o', async (fault, status, text) => {
  const { ask, control } = await open()
  control.addFault({ ...fault, times: 1 })
  const answer = await ask(page)
  expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(text)])
  if (fault.kind === 'unavailable') expect(answer.headers.get('retry-after')).toBe('3')
  expect((await ask(page)).status).toBe(200)
})

test('a fault strikes what it matches, after so many, for so many', async () => {
  const { ask, control } = await open()
  control.addFault({
    kind: 'unavailable',
    times: 2,
    after: 1,
    match: { method: 'GET', contract: 'dynamic', kind: 'leads', contains: 'Select=Id' },
  })
  const statuses: number[] = []
  for (const path of ['dynamic/-/contacts?select=Id', 'dynamic/-/leads', page, page, page, page])
    statuses.push((await ask(path)).status)
  expect(statuses).toEqual([200, 200, 200, 503, 503, 200])
  const id = control.addFault({ kind: 'tooMany' })
  expect(control.faults()).toMatchObject([{ id, kind: 'tooMany', left: null }])
  control.clearFaults()
  expect((await ask(page)).status).toBe(200)
})

test('a connection can be dropped before the work is done, and after', async () => {
  const { ask, control } = await open()
  const before = control.counts()['leads']
  const body = { LastName: 'Lost', Company: 'Answer' }
  control.addFault({ kind: 'drop', times: 1 })
  await expect(ask('dynamic/-/leads', { method: 'POST', body })).rejects.toThrow('fetch failed')
  expect(control.counts()['leads']).toBe(before)
  control.addFault({ kind: 'dropAfterWrite', times: 1 })
  await expect(ask('dynamic/-/leads', { method: 'POST', body })).rejects.toThrow('fetch failed')
  expect(control.counts()['leads']).toBe(Number(before) + 1)
  expect(control.journal().at(-1)).toMatchObject({ method: 'POST', status: 0, body: JSON.stringify(body) })
})

test('a hanging request is in flight until the client gives up', async () => {
  const { simulator, control } = await open()
  control.addFault({ kind: 'hang', times: 1 })
  const abort = new AbortController()
  const request = fetch(`${simulator.url}/sdata/slx/${page}`, { signal: abort.signal })
  const flights = async (wanted: number): Promise<void> => {
    while (control.gauges().inFlight !== wanted) await new Promise((resolve) => void setTimeout(resolve, 5))
  }
  await flights(1)
  abort.abort()
  await expect(request).rejects.toThrow('aborted')
  await flights(0)
})

test('a slow write is done although the client has gone', async () => {
  const { simulator, control } = await open()
  control.addFault({ kind: 'slow', ms: 150, times: 1 })
  const headers = { Authorization: `Basic ${btoa('admin:secret')}` }
  const url = `${simulator.url}/sdata/slx/dynamic/-/leads?format=json`
  const body = JSON.stringify({ LastName: 'Late', Company: 'Commit' })
  await expect(fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(50) })).rejects.toThrow(
    'timeout',
  )
  const late = () => control.people({ entity: 'lead', where: "LastName eq 'Late'" }).total
  expect(late()).toBe(0)
  while (late() === 0) await new Promise((resolve) => void setTimeout(resolve, 10))
})

test('a body can end early', async () => {
  const { ask, control } = await open()
  control.addFault({ kind: 'truncate', times: 1 })
  const text = await (await ask(page)).text()
  expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError)
})

test('pages can be short, totals wrong, links foreign, rows lost or out of order', async () => {
  const { feed, control } = await open()
  const ids = (found: Feed): string[] => found.$resources.map(({ $key }) => $key)
  const whole = ids(await feed(`${page}&orderby=Id`))
  const under = async (fault: Fault, path = page): Promise<Feed> => {
    const id = control.addFault(fault)
    const found = await feed(path)
    control.clearFaults(id)
    return found
  }
  const short = await under({ kind: 'shortPages', rows: 4 })
  expect([ids(short), short.$itemsPerPage, short.$next]).toEqual([
    whole.slice(0, 4),
    4,
    expect.stringContaining('startIndex=5'),
  ])
  expect((await under({ kind: 'totals', factor: 0.5 })).$totalResults).toBe(150)
  expect((await under({ kind: 'totals', value: 0 })).$totalResults).toBe(0)
  expect(await under({ kind: 'totals', missing: true })).not.toHaveProperty('$totalResults')
  expect((await under({ kind: 'foreignHost' })).$next).toMatch(/^http:\/\/10\.40\.201\.25\//)
  expect(await under({ kind: 'noNext' })).not.toHaveProperty('$next')
  expect(ids(await under({ kind: 'wrongOrder' }))).toEqual(whole.toReversed())
  expect(ids(await under({ kind: 'lostRows', every: 3 }, `${page}&startIndex=2`))).toHaveLength(7)
  expect(ids(await under({ kind: 'lostRows', every: 3 }))).toHaveLength(10)
})

test('a poisoned row spoils every page that holds it, and itself, but not its neighbours', async () => {
  const { ask, feed, control } = await open()
  control.addFault({ kind: 'poison', ids: ['QFLEAD000030'] })
  const answer = await ask('dynamic/-/leads?count=10')
  expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'text/html; charset=utf-8'])
  expect((await ask("dynamic/-/leads('QFLEAD000030')")).status).toBe(500)
  expect(
    (await feed(`dynamic/-/leads?where=${encodeURIComponent("Id gt 'QFLEAD000030'")}&count=5`)).$resources,
  ).toHaveLength(5)
  control.clearFaults()
  control.addFault({ kind: 'forbidden', ids: ['QFLEAD000030'] })
  expect((await ask("dynamic/-/leads('QFLEAD000030')")).status).toBe(403)
  expect((await ask("dynamic/-/leads('QFLEAD000040')")).status).toBe(200)
})

test('a property can vanish or get another name, in metadata, reads and writes alike', async () => {
  const { ask, feed, json, control } = await open()
  const names = async (): Promise<unknown[]> =>
    (await feed("metadata/-/entities('Lead')/properties?count=500&select=propertyName")).$resources.map(
      (item) => item['propertyName'],
    )
  control.edit({ entity: 'lead', id: 'QFLEAD000010', values: { CRegion: 'West' } })
  const id = control.addFault({ kind: 'missingProperty', entity: 'Lead', property: 'CRegion' })
  expect(await (await ask('dynamic/-/leads?select=Email,CRegion')).text()).toContain(
    'could not resolve property: CRegion',
  )
  expect(await names()).not.toContain('CRegion')
  control.clearFaults(id)
  control.addFault({ kind: 'missingProperty', entity: 'Lead', property: 'CRegion', renamedTo: 'CTerritory' })
  expect(await names()).toContain('CTerritory')
  const lead = "dynamic/-/leads('QFLEAD000010')"
  expect((await json(`${lead}?select=CTerritory`))['CTerritory']).toBe('West')
  expect(await json(lead, { method: 'PUT', body: { CTerritory: 'East' } })).toMatchObject({ CTerritory: 'East' })
  control.clearFaults()
  expect((await json(`${lead}?select=CRegion`))['CRegion']).toBe('East')
})

test('a redirect can lead to another host', async () => {
  const { ask, control } = await open()
  control.addFault({ kind: 'redirect', to: 'http://127.0.0.1:9', status: 307 })
  const answer = await ask(page)
  expect([answer.status, answer.headers.get('location')]).toEqual([
    307,
    expect.stringMatching(/^http:\/\/127\.0\.0\.1:9\/sdata\/slx\//),
  ])
})

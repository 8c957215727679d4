import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { open, start } from './support.ts'

const body = { LastName: 'Late', Company: 'Commit' }
type Asking = Awaited<ReturnType<typeof open>>
const late = ({ control }: Asking): number => control.people({ entity: 'lead', where: "LastName eq 'Late'" }).total
const arrived = async (crm: Asking, count: number): Promise<void> => {
  while (late(crm) < count) await wait(5)
}

test('a write can be dropped at once and done later, also when the fault is gone by then', async () => {
  const crm = await open()
  crm.control.addFault({ kind: 'lateWrite', ms: 3000, answer: 'drop', times: 1 })
  await expect(crm.ask('dynamic/-/leads', { method: 'POST', body })).rejects.toThrow('fetch failed')
  crm.control.clearFaults()
  expect(late(crm)).toBe(0)
  expect(crm.control.journal().at(-1)).toMatchObject({ method: 'POST', status: 0, body: JSON.stringify(body) })
  await arrived(crm, 1)
})

test('a write can hang and be done after its client has given up', async () => {
  const crm = await open()
  crm.control.addFault({ kind: 'lateWrite', ms: 120, answer: 'hang', times: 2 })
  const headers = { Authorization: `Basic ${btoa('admin:secret')}` }
  const send = (path: string, method: string): Promise<Response> =>
    fetch(`${crm.simulator.url}/sdata/slx/dynamic/-/${path}?format=json`, {
      method,
      headers,
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(40),
    })
  await expect(send('leads', 'POST')).rejects.toThrow('timeout')
  await expect(send("leads('QFLEAD000010')", 'PUT')).rejects.toThrow('timeout')
  expect(late(crm)).toBe(0)
  await arrived(crm, 2)
})

test('reads pass, and do not use the fault up', async () => {
  const crm = await open()
  crm.control.addFault({ kind: 'lateWrite', ms: 1, answer: 'drop', times: 1 })
  expect((await crm.ask('dynamic/-/leads?count=1')).status).toBe(200)
  await expect(crm.ask("dynamic/-/leads('QFLEAD000010')", { method: 'PUT', body })).rejects.toThrow('fetch failed')
  await arrived(crm, 1)
})

test('a late write that is refused harms nobody', async () => {
  const crm = await open()
  crm.control.addFault({ kind: 'lateWrite', ms: 1, answer: 'drop', times: 1 })
  await expect(crm.ask("dynamic/-/leads('NOBODY')", { method: 'PUT', body })).rejects.toThrow('fetch failed')
  await wait(20)
  expect((await crm.ask('dynamic/-/leads?count=1')).status).toBe(200)
})

test('a closed simulator writes nothing more', async () => {
  const crm = await start()
  onTestFinished(crm.close)
  crm.control.addFault({ kind: 'lateWrite', ms: 30, answer: 'drop' })
  await expect(crm.ask('dynamic/-/leads', { method: 'POST', body })).rejects.toThrow('fetch failed')
  await crm.close()
  await wait(60)
  expect(late(crm)).toBe(0)
})

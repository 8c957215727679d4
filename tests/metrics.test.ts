import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../src/embedded/port.ts'
import { openFairlead } from './support/fairlead.ts'
import { startWorker } from './support/worker.ts'

test('O4, R37: a worker serves figures of the CRM calls beside those of the engine, without a name in them', async () => {
  const port = await freePort()
  const fairlead = await openFairlead({
    worker: false,
    leads: 500,
    contacts: 1,
    maxPage: 100,
    environment: { METRICS_PORT: `${port}` },
  })
  onTestFinished(fairlead.close)
  await startWorker(fairlead)
  await fairlead.connect()
  fairlead.simulator.control.addFault({ kind: 'unavailable', times: 2, match: { kind: 'leads' } })
  const run = await fairlead.finished(await fairlead.startImport('lead'))
  expect(run.state).toBe('succeeded')
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const sumOf = (name: string, label: string): number =>
    [...text.matchAll(new RegExp(`^${name}\\{([^}]*)\\} (\\S+)$`, 'gm'))]
      .filter(([, labels]) => labels!.includes(label))
      .reduce((sum, [, , value]) => sum + Number(value), 0)
  const { requests } = fairlead.simulator.control.gauges()
  const ok = sumOf('fairlead_crm_request_duration_seconds_count', 'outcome="ok"')
  expect(ok).toBeGreaterThan(20)
  expect(ok + sumOf('fairlead_crm_request_duration_seconds_count', 'outcome="trouble"')).toBe(requests)
  expect(sumOf('fairlead_crm_request_duration_seconds_count', 'outcome="trouble"')).toBe(2)
  expect(sumOf('fairlead_crm_slot_wait_seconds_count', 'priority="bulk"')).toBeGreaterThan(20)
  expect(text).toMatch(/^temporal_num_pollers\{/m)
  for (const name of [fairlead.accountId, run.id, run.listId!, '127.0.0.1', 'admin']) expect(text).not.toContain(name)
})

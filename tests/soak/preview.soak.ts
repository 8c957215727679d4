import { expect, onTestFinished, test } from 'vitest'
import { apply } from '../../src/db/preview.ts'
import { request } from '../../src/db/sync/request.ts'
import { openFairlead, until } from '../support/fairlead.ts'
import { expectGood, openList, sumsAgree } from '../support/sync.ts'
import { peakOf, startWorker, workerFlags } from '../support/worker.ts'

const hourMs = 3_600_000
/** Half of them come from the CRM, half go out. */
const changes = Number(process.env['PREVIEW_CHANGES'] ?? 100_000)
const half = Math.floor(changes / 2)

test(`S8: a preview of ${changes} changes survives a SIGKILL, writes nothing, is applied as a whole, and the memory of the worker is bounded`, async () => {
  const fairlead = await openFairlead({ worker: false, leads: changes, contacts: 20 })
  onTestFinished(fairlead.close)
  const { db, accountId, simulator, wiring } = fairlead
  const sql = db.$client
  const first = await startWorker(fairlead, workerFlags())
  await fairlead.connect()
  const imported = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company'], true), hourMs)
  await first.stop()
  const list = await openList(fairlead, imported.listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Company'] })
  const title = list.keyOf('Title')
  const company = list.keyOf('Company')
  await sql`
    update records set fields = fields || jsonb_build_object(${company}::text, 'Ours'), agreed = jsonb_build_object(${company}::text,
      jsonb_build_object('v', fields -> ${company}::text, 'at', '2026-01-01T00:00:00.000Z'))
    where id in (select id from records where list_id = ${list.listId} order by id limit ${half})`
  const others = await sql<{ id: string }[]>`
    select crm_id as id from records where list_id = ${list.listId} and agreed = '{}' order by id`
  simulator.control.massUpdate({ entity: 'lead', ids: others.map(({ id }) => id), values: { Title: 'Theirs' } })
  const picture = async () => {
    const [sums] = await sql`
      select sum(version)::int as version, count(*) filter (where fields ->> ${title} = 'Theirs')::int as theirs,
        count(*) filter (where agreed <> '{}')::int as pending from records where list_id = ${list.listId}`
    return { sums, writes: simulator.control.gauges().writes }
  }
  const before = await picture()

  const began = performance.now()
  const killed = await startWorker(fairlead, workerFlags())
  const { runId } = await request(db, accountId, list.listId, { kind: 'preview', trigger: 'api' })
  await wiring.relay()
  const shown = async (): Promise<number> =>
    (await sql<[{ n: number }]>`select count(*)::int as n from entries where last_run_id = ${runId}`)[0].n
  await until('a part is shown', async () => (await shown()) > 0, hourMs)
  await killed.kill()
  const worker = await startWorker(fairlead, workerFlags())
  const run = await fairlead.finished(runId, hourMs)
  const peak = peakOf(worker.pid)
  expectGood(run)
  expect(run.counts).toMatchObject({ pull: { updated: changes - half }, push: { updated: half } })
  expect(await shown()).toBe(changes)
  expect(await picture()).toEqual(before)
  expect(await sql`select 1 from previewed_records limit 1`).toHaveLength(0)
  const ended = performance.now()
  const applied = await db.transaction((tx) => apply(tx, accountId, list.listId, runId, false))
  await wiring.relay()
  const done = await fairlead.finished(applied.runId, hourMs)
  expect(done).toMatchObject({ state: 'succeeded', error: null })
  expect(sumsAgree(done)).toBe(true)
  expect(done.counts).toMatchObject({
    pull: { read: changes - half, updated: changes - half },
    push: { read: half, updated: half },
  })
  expect((await picture()).sums).toMatchObject({ theirs: changes - half, pending: 0 })
  const seconds = (ended - began) / 1000
  console.log(
    `${changes} changes in ${seconds.toFixed(1)} s with a kill between; resident MiB of the worker: ${peak.toFixed(0)} peak`,
  )
  expect(peak).toBeLessThan(450)
})

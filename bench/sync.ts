import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { request } from '../src/db/sync/request.ts'
import * as runs from '../src/db/run/state.ts'
import type { Run } from '../src/db/run/state.ts'
import { isOver } from '../src/domain/run.ts'
import { defaultSync } from '../src/domain/sync.ts'
import { credentials, startCrm, type SimulatedCrm } from './crm.ts'
import { clearRecords, openCustomer } from './fairlead.ts'
import { chosenFields, fixedFields } from './fields.ts'
import { median } from './measure.ts'
import { startWorker, type Stage } from './stage.ts'
import { sizeOf, type Line } from './table.ts'

const pageSize = 1000
const lanes = 4
const latencyMs = 100
const mostTimes = 3
const leastShare = 0.9

type Sync = { accountId: string; listId: string }

const control = async (crm: SimulatedCrm, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> => {
  const headers = { 'content-type': 'application/json' }
  const reply = await fetch(`${crm.url}/_simulator/${path}`, {
    method,
    ...(body === undefined ? {} : { headers, body: JSON.stringify(body) }),
  })
  if (!reply.ok) throw new Error(`the simulator answers ${reply.status}: ${await reply.text()}`)
  return reply.json()
}

const requestsOf = async (crm: SimulatedCrm): Promise<number> =>
  ((await control(crm, 'GET', 'gauges')) as { requests: number }).requests

const syncOnce = async ({ wiring, signal }: Stage, { accountId, listId }: Sync): Promise<{ run: Run; ms: number }> => {
  const began = Date.now()
  const { runId } = await request(wiring.db, accountId, listId, { kind: 'sync', trigger: 'api' })
  await wiring.relay()
  for (;;) {
    const run = await runs.get(wiring.db, accountId, runId)
    if (isOver(run.state)) {
      if (run.state !== 'succeeded') throw new Error(`the sync ended ${run.state}: ${JSON.stringify(run.error)}`)
      return { run, ms: run.finishedAt!.getTime() - began }
    }
    await sleep(20, undefined, { signal })
  }
}

type Feed = { $resources: { $key: string; ModifyDate?: string }[] }

/** What nobody can do without: the newest change, then the changed people and the changed addresses, each to an empty page. */
const plainRead = async (crm: SimulatedCrm, since: string): Promise<{ ms: number; rows: number }> => {
  const pool = new Pool(crm.url, { connections: lanes })
  const authorization = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
  const get = async (query: Record<string, string | number>): Promise<Feed> => {
    const search = Object.entries({ ...query, format: 'json' }).map(
      ([name, value]) => `${name}=${encodeURIComponent(value)}`,
    )
    const path = `/sdata/slx/dynamic/-/leads?${search.join('&')}`
    const reply = await pool.request({ path, method: 'GET', headers: { authorization } })
    return (await reply.body.json()) as Feed
  }
  const select = ['Id', ...fixedFields, ...chosenFields].join()
  const changed = async (where: string): Promise<number> => {
    let rows = 0
    for (let after = ''; ;) {
      const page = await get({ select, where: `${where} and Id gt '${after}'`, orderby: 'Id', count: pageSize })
      if (page.$resources.length === 0) return rows
      rows += page.$resources.length
      after = page.$resources.at(-1)!.$key
    }
  }
  const began = performance.now()
  await get({ select: 'Id,ModifyDate', orderby: 'ModifyDate desc', count: 1 })
  const [people, addresses] = await Promise.all([
    changed(`(ModifyDate ge @${since}@ or ModifyDate eq null)`),
    changed(`Address.ModifyDate ge @${since}@ and ModifyDate lt @${since}@`),
  ])
  const ms = performance.now() - began
  await pool.destroy()
  return { ms, rows: people + addresses }
}

const benchPull = async (stage: Stage, crm: SimulatedCrm, sync: Sync): Promise<Line> => {
  const { repeats } = stage.options
  const ours: number[] = []
  const plain: number[] = []
  let asked = 0
  for (let turn = 0; turn < repeats; turn += 1) {
    await control(crm, 'POST', 'mass-update', { entity: 'lead', values: { Title: `Changed ${turn}` }, count: 1000 })
    await crm.setLatency(latencyMs)
    const [list] = await stage.wiring.db.$client<
      [{ mark: string }]
    >`select mark::text as mark from lists where id = ${sync.listId}`
    const since = new Date(Date.parse(list.mark) - 15 * 60_000).toISOString().replace(/\.\d+Z$/, 'Z')
    const bare = await plainRead(crm, since)
    const before = await requestsOf(crm)
    const { run, ms } = await syncOnce(stage, sync)
    asked = (await requestsOf(crm)) - before
    await crm.setLatency(0)
    if ((run.counts?.['pull']?.updated ?? 0) !== 1000)
      throw new Error(`the sync took over ${run.counts?.['pull']?.updated} people`)
    ours.push(ms)
    plain.push(bare.ms)
  }
  const times = median(ours) / median(plain)
  stage.say(
    `  sync ${ours.map(Math.round).join(' ')} ms, bare calls ${plain.map(Math.round).join(' ')} ms, ${asked} requests`,
  )
  return {
    work: `sync of ${sizeOf(crm.leads)} records of which 1,000 changed, CRM latency ${latencyMs} ms, whole runs`,
    must: `≤ ${mostTimes} × the calls that nobody can avoid`,
    measured: `${times.toFixed(1)} × (${(median(ours) / 1000).toFixed(2)} s against ${(median(plain) / 1000).toFixed(2)} s; ${asked} requests)`,
    met: times <= mostTimes,
  }
}

/** Edits made here, as the API makes them: the value, and what both sides had agreed on. */
const editHere = async ({ wiring }: Stage, { listId }: Sync, count: number, value: string): Promise<void> => {
  await wiring.db.$client`
    update records r set version = version + 1, fields = r.fields || jsonb_build_object(c.key, ${value}::text),
      agreed = jsonb_build_object(c.key, jsonb_build_object('v', r.fields -> c.key, 'at', to_jsonb(now())))
    from columns c
    where c.list_id = ${listId} and c.crm_field = 'Title' and r.id in (select id from records where list_id = ${listId} order by id limit ${count})`
}

const benchPush = async (
  stage: Stage,
  crm: SimulatedCrm,
  sync: Sync,
  { count, batch }: { count: number; batch: 'on' | 'off' },
): Promise<Line> => {
  await control(crm, 'POST', 'settings', { batch })
  const { $client: sql } = stage.wiring.db
  const [title] = await sql<
    [{ key: string }]
  >`select key from columns where list_id = ${sync.listId} and crm_field = 'Title'`
  const usual = defaultSync()
  const push = { ...usual.push, enabled: true, updateExisting: true, fields: [title.key] }
  const pull = { ...usual.pull, enabled: false }
  await sql`
    insert into sync_settings (holder_id, list_id, account_id, version, push, pull)
    values (${sync.listId}, ${sync.listId}, ${sync.accountId}, 1, ${JSON.stringify(push)}::text::jsonb, ${JSON.stringify(pull)}::text::jsonb)
    on conflict (holder_id) do update set push = excluded.push, pull = excluded.pull`
  const shares: number[] = []
  for (let turn = 0; turn < (batch === 'on' ? Math.min(2, stage.options.repeats) : 1); turn += 1) {
    await editHere(stage, sync, count, `Pushed ${turn} ${batch}`)
    await crm.setLatency(latencyMs)
    const { run, ms } = await syncOnce(stage, sync)
    await crm.setLatency(0)
    if (run.counts?.['push']?.updated !== count)
      throw new Error(`the push wrote ${run.counts?.['push']?.updated} people`)
    shares.push((count * latencyMs) / lanes / ms)
    stage.say(`  push of ${count}: ${ms} ms, ${shares.at(-1)!.toFixed(2)} of the bound`)
  }
  const share = median(shares)
  return {
    work: `push of ${sizeOf(count)} updates at ${lanes} concurrent calls, ${batch === 'off' ? 'one by one' : 'with a CRM that takes batches'}, CRM latency ${latencyMs} ms, whole runs`,
    must: `≥ ${leastShare} × the bound of single calls`,
    measured: `${share.toFixed(2)} (${Math.round((share * 1000 * lanes) / latencyMs)} updates/s of ${(1000 * lanes) / latencyMs})`,
    met: share >= leastShare,
  }
}

/** A sync of a large list in which little changed, and a push bound by the CRM. */
export const benchSync = async (stage: Stage): Promise<Line[]> => {
  const { large } = stage.options
  let worker = await startWorker(stage)
  const crm = await startCrm(stage, { leads: large, pageSize })
  const customer = await openCustomer(stage, crm)
  await clearRecords(stage)
  stage.say(`sync of ${sizeOf(large)}`)
  const { listId } = await customer.importLeads()
  const sync = { accountId: customer.accountId, listId }
  await syncOnce(stage, sync)
  const count = Math.min(10_000, large / 2)
  const lines = [await benchPull(stage, crm, sync), await benchPush(stage, crm, sync, { count, batch: 'off' })]
  // what a server cannot do is remembered as long as the worker runs
  await worker.stop()
  worker = await startWorker(stage)
  lines.push(await benchPush(stage, crm, sync, { count, batch: 'on' }))
  await worker.stop()
  await crm.stop()
  return lines
}

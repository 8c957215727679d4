import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { pack } from '../src/db/delivery/content.ts'
import * as notes from '../src/db/note/insert.ts'
import * as runs from '../src/db/run/state.ts'
import type { MessageDefinition } from '../src/domain/message.ts'
import { isOver } from '../src/domain/run.ts'
import { credentials, startCrm, type SimulatedCrm } from './crm.ts'
import { clearRecords, openCustomer } from './fairlead.ts'
import { startWorker, type Stage } from './stage.ts'
import { sizeOf, type Line } from './table.ts'

const latencyMs = 20
const atOnce = 4
/** mails whose answers are stored together */
const pageSize = 200
const leastShare = 0.8
const mostEvents = 12

const definition: MessageDefinition = {
  subject: 'News',
  preheader: '',
  html: '<p>Hello</p>',
  text: null,
  from: { name: 'News', email: 'news@example.com' },
  replyTo: null,
  audience: { lists: [], segments: [], withoutLists: [], withoutSegments: [] },
  addNote: true,
  sender: 'smtp',
  unknownFate: 'repeat',
}

/** A message whose mails to everybody on the list were taken, all at once. Answers the run of its notes. */
const acceptAll = async ({ wiring: { db, relay } }: Stage, accountId: string, listId: string) => {
  const { subject, html, text, sha256 } = pack(
    { subject: 'News', html: '<p>Hello</p>', text: 'Hello' },
    definition.html,
  )
  const runId = await db.transaction(async (tx) => {
    const sql = (tx as unknown as { _: { session: { client: typeof db.$client } } })._.session.client
    const [message] = await sql<[{ id: string }]>`
      insert into messages (account_id, name, state) values (${accountId}, ${`Bench ${Date.now()}`}, 'sent') returning id::text`
    await sql`
      insert into message_versions (message_id, version, account_id, definition)
      values (${message.id}, 1, ${accountId}, ${JSON.stringify(definition)}::text::jsonb)`
    const made = await sql<{ id: string }[]>`
      insert into deliveries (account_id, message_id, version, list_id, record_id, crm_entity, crm_id, state, preview_token, sent_at, accepted_at)
      select account_id, ${message.id}, 1, list_id, id, crm_entity, crm_id, 'accepted', replace(gen_random_uuid()::text, '-', ''), now(), now()
      from records where list_id = ${listId} returning id::text`
    await sql`
      insert into delivery_contents (delivery_id, account_id, subject, html, text, sha256)
      select id, account_id, ${subject}, ${html}, ${text}, ${sha256} from deliveries where message_id = ${message.id}`
    const ids = made.map(({ id }) => id)
    // as senders do: a page at a time
    for (let at = 0; at < ids.length; at += pageSize)
      await notes.insert(tx, accountId, message.id, ids.slice(at, at + pageSize))
    const [run] = await sql<
      [{ id: string }]
    >`select id::text from runs where message_id = ${message.id} and kind = 'notes'`
    return run.id
  })
  await relay()
  return runId
}

/** Notes per second of a bare loop at the same number of calls: what the CRM gives on this machine. */
const plainPace = async (crm: SimulatedCrm, count: number): Promise<number> => {
  const pool = new Pool(crm.url, { connections: atOnce })
  const authorization = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
  const headers = { authorization, 'content-type': 'application/json' }
  const body = JSON.stringify({ Type: 'atEMail', Description: 'News', LongNotes: 'News' })
  let left = count
  const one = async (): Promise<void> => {
    for (; left > 0;) {
      left -= 1
      const path = '/sdata/slx/dynamic/-/history?format=json'
      const reply = await pool.request({ path, method: 'POST', headers, body })
      if (reply.statusCode !== 201) throw new Error(`the simulator answers ${reply.statusCode}`)
      await reply.body.text()
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: atOnce }, one))
  const seconds = (performance.now() - began) / 1000
  await pool.destroy()
  return count / seconds
}

/** G3: notes of a message to everybody, bound by the CRM, and what they cost the engine. */
export const benchNotes = async (stage: Stage): Promise<Line[]> => {
  const count = stage.options.quick ? 2000 : 100_000
  stage.say(`${sizeOf(count)} notes, ${latencyMs} ms per answer of the CRM`)
  const crm = await startCrm(stage, { leads: count, pageSize: 1000 })
  const worker = await startWorker(stage)
  await clearRecords(stage)
  const { accountId, importLeads } = await openCustomer(stage, crm)
  const { listId } = await importLeads()
  await crm.setLatency(latencyMs)
  const pace = await plainPace(crm, Math.min(count, 2000))
  const runId = await acceptAll(stage, accountId, listId)
  let run = await runs.get(stage.wiring.db, accountId, runId)
  for (; !isOver(run.state); run = await runs.get(stage.wiring.db, accountId, runId))
    await sleep(50, undefined, { signal: stage.signal })
  const made = run.counts?.['notes']?.created ?? 0
  const ms = run.finishedAt!.getTime() - run.startedAt!.getTime()
  const { events } = await stage.wiring.flows.client.workflow.getHandle(run.workflowId).fetchHistory()
  const ours = (made * 1000) / ms
  const share = ours / pace
  const perThousand = (events?.length ?? 0) / (made / 1000)
  await worker.stop()
  await crm.stop()
  return [
    {
      work: `${sizeOf(count)} notes at ${atOnce} concurrent calls, CRM latency ${latencyMs} ms, whole run`,
      must: `≥ ${leastShare} × a bare loop`,
      measured: `${share.toFixed(2)} (${Math.round(ours)} notes/s against ${Math.round(pace)}; ${made} made, ${run.state})`,
      met: share >= leastShare && made === count,
    },
    {
      work: 'history events per 1,000 notes',
      must: `≤ ${mostEvents}`,
      measured: perThousand.toFixed(2),
      met: perThousand <= mostEvents,
    },
  ]
}

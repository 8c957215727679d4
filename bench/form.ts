import { setTimeout as sleep } from 'node:timers/promises'
import * as apiKeys from '../src/db/apiKey.ts'
import { startCrm, type SimulatedCrm } from './crm.ts'
import { clearRecords, openCustomer, type Customer } from './fairlead.ts'
import { percentile } from './measure.ts'
import { startWorker, type Stage } from './stage.ts'
import { sizeOf, type Line } from './table.ts'

const latencyMs = 100
const mostMs = 1000
const mostEvents = 12

type Site = { url: string; headers: Record<string, string>; formId: string; workflowId: string }
type Sent = { answeredAt: Map<string, number>; failed: number }

/** The API, and a form that pushes. */
const openSite = async (stage: Stage, { accountId }: Customer): Promise<Site> => {
  const { db } = stage.wiring
  stage.start('api', 'src/serve.ts')
  const url = `http://127.0.0.1:${stage.environment['PORT']}`
  const { key } = await apiKeys.insert(db, accountId, { name: 'bench', role: 'marketer' })
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  for (const deadline = Date.now() + 60_000; ;) {
    const reply = await fetch(`${url}/readyz`).catch(() => undefined)
    await reply?.body?.cancel()
    if (reply?.ok === true) break
    if (Date.now() > deadline) throw new Error('the API did not come up')
    await sleep(100, undefined, { signal: stage.signal })
  }
  const fields = [
    { name: 'email', type: 'email', label: 'E-mail' },
    { name: 'lastName', type: 'text', label: 'Last name' },
  ]
  const body = { name: 'Bench', list: { name: 'Bench' }, push: true, fields, newLeadDefaults: { Company: 'Bench Ltd' } }
  const reply = await fetch(`${url}/v1/forms`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (reply.status !== 201) throw new Error(`the form was not made: ${await reply.text()}`)
  const { id: formId } = (await reply.json()) as { id: string }
  const [connection] = await db.$client<[{ id: string }]>`
    select id::text from connections where account_id = ${accountId} and active`
  return { url, headers, formId, workflowId: `forms:${connection.id}` }
}

/** So many a second, whatever the answers take. */
const submitAll = async (stage: Stage, site: Site, tag: string, perSecond: number, seconds: number): Promise<Sent> => {
  const sent: Sent = { answeredAt: new Map(), failed: 0 }
  const submit = async (email: string): Promise<void> => {
    const body = JSON.stringify({ answers: { email, lastName: tag } })
    const url = `${site.url}/v1/forms/${site.formId}/submissions`
    const reply = await fetch(url, { method: 'POST', headers: site.headers, body }).catch(() => undefined)
    await reply?.body?.cancel()
    if (reply?.status === 202) sent.answeredAt.set(email, Date.now())
    else sent.failed += 1
  }
  const began = Date.now()
  const running: Promise<void>[] = []
  for (let n = 0; n < perSecond * seconds; n += 1) {
    const waitMs = began + (n * 1000) / perSecond - Date.now()
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: stage.signal })
    running.push(submit(`${tag}.${n}@bench.example`))
  }
  await Promise.all(running)
  return sent
}

const openCount = async ({ wiring }: Stage): Promise<number> => {
  const [found] = await wiring.db.$client<[{ n: number }]>`
    select count(*)::int as n from submissions where state <> 'pushed'`
  return found.n
}

const drained = async (stage: Stage, timeoutMs: number): Promise<number> => {
  const deadline = Date.now() + timeoutMs
  let left = await openCount(stage)
  for (; left > 0 && Date.now() < deadline; left = await openCount(stage))
    await sleep(100, undefined, { signal: stage.signal })
  return left
}

/** Address → when the CRM made its lead. */
const leadsOf = async (crm: SimulatedCrm, tag: string): Promise<Map<string, number[]>> => {
  const query = `entity=lead&count=1000000&select=Id,Email,CreateDate&where=${encodeURIComponent(`LastName eq '${tag}'`)}`
  const reply = await fetch(`${crm.url}/_simulator/people?${query}`)
  const { items } = (await reply.json()) as { items: { Email: string; CreateDate: string }[] }
  const found = new Map<string, number[]>()
  for (const { Email, CreateDate } of items) found.set(Email, [...(found.get(Email) ?? []), Date.parse(CreateDate)])
  return found
}

/** Of the workflow that runs or has run last, by its id. */
const eventsOf = async ({ wiring }: Stage, { workflowId }: Site): Promise<number> => {
  const { events } = await wiring.flows.client.workflow.getHandle(workflowId).fetchHistory()
  return events?.length ?? 0
}

type Load = { tag: string; perSecond: number; seconds: number }

const measure = async (stage: Stage, crm: SimulatedCrm, site: Site, { tag, perSecond, seconds }: Load) => {
  const sent = await submitAll(stage, site, tag, perSecond, seconds)
  const left = await drained(stage, 600_000)
  const leads = await leadsOf(crm, tag)
  const times = [...sent.answeredAt].flatMap(([email, at]) => (leads.get(email) ?? []).map((made) => made - at))
  const once = [...sent.answeredAt.keys()].filter((email) => leads.get(email)?.length === 1).length
  const answered = sent.answeredAt.size
  return { answered, failed: sent.failed, left, once, times, all: sent.failed === 0 && left === 0 && once === answered }
}

/** F3: from the answer to the lead, beside an import; then many at once. */
export const benchForms = async (stage: Stage): Promise<Line[]> => {
  const { leads, quick } = stage.options
  stage.say(`forms, ${latencyMs} ms per answer of the CRM, beside an import of ${sizeOf(leads)}`)
  const crm = await startCrm(stage, { leads, pageSize: 200 })
  await crm.setLatency(latencyMs)
  const worker = await startWorker(stage)
  const customer = await openCustomer(stage, crm)
  const site = await openSite(stage, customer)
  await clearRecords(stage)
  let importing = true
  const imported = customer.importLeads().finally(() => {
    importing = false
  })
  imported.catch(() => undefined)
  const slow = await measure(stage, crm, site, { tag: 'Slow', perSecond: 20, seconds: quick ? 10 : 60 })
  const beside = importing ? '' : ', the import ended before'
  const p95 = percentile(slow.times, 0.95)
  const lines: Line[] = [
    {
      work: `form → lead, CRM answering in ${latencyMs} ms, 20 submissions/s, beside an import of ${sizeOf(leads)}`,
      must: `p95 ≤ ${mostMs} ms`,
      measured: `p50 ${Math.round(percentile(slow.times, 0.5))} ms, p95 ${Math.round(p95)} ms (${slow.answered} answered, ${slow.once} leads${beside})`,
      met: slow.all && p95 <= mostMs,
    },
  ]
  const events = (await eventsOf(stage, site)) / (slow.answered / 1000)
  // what it counts beside the submissions does not matter here
  await imported.catch(() => undefined)
  const fast = await measure(stage, crm, site, { tag: 'Fast', perSecond: 200, seconds: quick ? 5 : 30 })
  lines.push(
    {
      work: 'form, 200 submissions/s by API key',
      must: 'all answered, each one lead',
      measured: `${fast.answered} answered, ${fast.failed} failed, ${fast.once} leads, ${fast.left} left`,
      met: fast.all,
    },
    {
      work: 'history events per 1,000 submissions',
      must: `≤ ${mostEvents}`,
      measured: `${Math.round(events * 10) / 10} at 20/s`,
      met: events <= mostEvents,
    },
  )
  await worker.stop()
  await crm.stop()
  return lines
}

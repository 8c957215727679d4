import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { outbox, schedules } from '../../src/db/schema.ts'
import { watchSchedules } from '../../src/schedule.ts'
import { wire } from '../../src/wiring.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openProxy } from '../support/proxy.ts'
import { addSchedule, alertsOf, changeSchedule, dailySpec, firingsOf } from '../support/schedule.ts'
import { sumsAgree } from '../support/sync.ts'
import { startWorker } from '../support/worker.ts'

const dayMs = 24 * 60 * 60_000

let fairlead: Fairlead
let listId: string
let proxy: Awaited<ReturnType<typeof openProxy>>
let environment: Record<string, string>

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 20, contacts: 5 })
  await fairlead.connect()
  listId = (await fairlead.finished(await fairlead.startImport('lead', ['Title']))).listId!
  proxy = await openProxy(fairlead.environment['TEMPORAL_ADDRESS']!)
  environment = { ...fairlead.environment, TEMPORAL_ADDRESS: proxy.address }
})
afterAll(async () => {
  proxy.close()
  await fairlead.close()
})

const handleOf = (id: string) => fairlead.wiring.flows.client.schedule.getHandle(`schedule:${id}`)
const isThere = async (id: string): Promise<boolean> =>
  handleOf(id)
    .describe()
    .then(() => true)
    .catch(() => false)
const get = async (id: string) => (await fairlead.db.select().from(schedules).where(eq(schedules.id, id)))[0]!
const remove = (id: string) => changeSchedule(fairlead, id, { state: 'removed', slot: null })

test('a worker that is killed between the commit and its call to the engine leaves nothing behind', async () => {
  const lost = await addSchedule(fairlead, { listId })
  await fairlead.db.update(outbox).set({ doneAt: new Date() })
  const worker = await startWorker({ environment })
  await until('the worker has found a row that the engine was never told of', () => isThere(lost))
  await remove(lost)
  await until('the worker has removed it', async () => !(await isThere(lost)))

  proxy.hold()
  const id = await addSchedule(fairlead, { listId })
  await until('the worker calls the engine', async () => {
    const free = await fairlead.db.$client`
      select from outbox where workflow_id = ${`schedule:${id}`} for update skip locked`
    return free.length === 0
  })
  await worker.kill()
  proxy.open()
  expect(await isThere(id)).toBe(false)
  expect((await get(id)).appliedGeneration).toBeNull()
  await until('another process tells the engine', async () => {
    await fairlead.wiring.relay()
    return isThere(id)
  })
  expect(await get(id)).toMatchObject({ generation: 1, appliedGeneration: 1, slot: 1 })
  expect(await alertsOf(fairlead, id)).toEqual([])
  await remove(id)
  await fairlead.wiring.relay()
})

test('T3: while the engine is away times pass and a schedule changes: then both are equal, and one run catches up', async () => {
  const wiring = await wire(readConfig(environment), 'tests')
  onTestFinished(wiring.close)
  const watch = () => watchSchedules(wiring, { olderThanMs: 0 })
  const id = await addSchedule(fairlead, { listId })
  await wiring.relay()
  expect(await watch()).toEqual({ compared: 1, fired: 0 })

  proxy.shut()
  const spec = dailySpec(5)
  await changeSchedule(fairlead, id, { spec, accountedUntil: new Date(Date.now() - 3.5 * dayMs) })
  expect(await watch()).toEqual({ compared: 0, fired: 1 })
  const rows = await firingsOf(fairlead, id)
  expect(rows.map(({ outcome }) => outcome)).toEqual(['missed', 'missed', 'missed', 'started'])
  expect(await get(id)).toMatchObject({ generation: 2, appliedGeneration: 1 })

  proxy.open()
  await until('both are equal', async () => {
    await watch()
    return (await get(id)).appliedGeneration === 2
  })
  const { calendars } = (await handleOf(id).describe()).spec
  expect(calendars).toMatchObject([{ hour: [{ start: Number(spec.time.slice(0, 2)) }] }])
  const run = await fairlead.finished(rows.at(-1)!.runId!)
  expect(run).toMatchObject({ state: 'succeeded', trigger: 'schedule' })
  expect(sumsAgree(run)).toBe(true)
  expect(await fairlead.db.$client`select from runs where trigger = 'schedule'`).toHaveLength(1)
  await remove(id)
  await fairlead.wiring.relay()
})

import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as sweeps from '../src/db/sweep.ts'
import type { Fault } from '../src/simulator/faults.ts'
import { openFairlead, type Fairlead } from './support/fairlead.ts'
import { checkOf, fetchHistory } from './support/history.ts'
import { openList } from './support/sync.ts'

let fairlead: Fairlead
const lines: string[] = []
beforeAll(async () => {
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
  fairlead = await openFairlead({
    leads: 900,
    contacts: 300,
    maxPage: 100,
    environment: { CRM_TIMEOUT_MS: '1500' },
    log,
  })
  fairlead.simulator.control.setUser({ username: 'integration', password: 'Zq7!never-seen', role: 'admin' })
  await fairlead.connect({ username: 'integration', password: 'Zq7!never-seen' })
}, 60_000)
afterAll(() => fairlead.close())

/** Every text of a history: strings as they are, payloads decoded. */
const textsOf = (value: unknown): string => {
  if (typeof value === 'string') return `${value}\n`
  if (value instanceof Uint8Array) return `${Buffer.from(value).toString('utf8')}\n`
  if (typeof value !== 'object' || value === null) return ''
  return Object.values(value).map(textsOf).join('')
}

/** What must be seen nowhere: addresses, distinct names, telephone numbers, companies, the secret, the login, and the CRM's own words. */
const secrets = (): string[] => {
  const people = (['lead', 'contact'] as const).flatMap(
    (entity) => fairlead.simulator.control.people({ entity, count: 10_000 }).items,
  )
  const named = people.flatMap((each) => [
    each['Email'],
    each['WorkPhone'],
    each['Company'],
    each['AccountName'],
    each['Notes'],
  ])
  const lasts = people
    .map((each) => each['LastName'])
    .filter((name) => typeof name === 'string' && name.trim().length > 4)
  return [...named, ...lasts, 'Zq7!never-seen', Buffer.from('integration:Zq7!never-seen').toString('base64')]
    .filter((text) => typeof text === 'string')
    .map((text) => text.trim())
    .filter((text) => text.length > 4)
}

const expectNone = (text: string, where: string): void => {
  expect(text.length, where).toBeGreaterThan(1000)
  const seen = [...new Set(secrets())].filter((secret) => text.includes(secret))
  expect(seen, where).toEqual([])
}

const faults: Fault[] = [
  { kind: 'errorArray', status: 500, message: 'jo.public@example.com is broken', times: 25, after: 3 },
  { kind: 'htmlError', times: 2, after: 5 },
  { kind: 'drop', times: 2, after: 6 },
]

test('R37: neither histories nor logs hold a person, a secret or a reply of the CRM, even when it fails', async () => {
  const { control } = fairlead.simulator
  const [first] = control.people({ entity: 'lead', count: 1 }).items
  for (const fault of faults) control.addFault({ ...fault, match: { kind: 'leads' } })
  control.addFault({ kind: 'poison', ids: [first!.Id] })
  const histories: string[] = []
  const runIds: string[] = []
  for (const entity of ['lead', 'contact'] as const) {
    const run = await fairlead.finished(await fairlead.startImport(entity, ['WorkPhone', 'Title']))
    runIds.push(run.id)
    histories.push(textsOf(await fetchHistory(fairlead, run.workflowId)))
    const { runId } = await sweeps.request(fairlead.db, fairlead.accountId, run.listId!)
    const sweep = await fairlead.finished(runId)
    histories.push(textsOf(await fetchHistory(fairlead, sweep.workflowId)))
  }
  histories.push(textsOf(await fetchHistory(fairlead, await checkOf(fairlead))))
  const all = histories.join('')
  expect(all).toContain(runIds[0])
  expectNone(all, 'histories')
  expect(all).not.toContain('jo.public@example.com')

  const logged = lines.join('')
  expect(logged.includes('activity failed')).toBe(true)
  expectNone(logged, 'logs')
  expect(logged).not.toContain('jo.public@example.com')
})

test('R37: nor do those of syncs that pull, create, update and fail, and of a verification', async () => {
  const { control } = fairlead.simulator
  const spoken = 'jane.doe@example.com is broken'
  lines.length = 0
  const imported = await fairlead.finished(await fairlead.startImport('lead', ['WorkPhone', 'Title', 'Company'], true))
  const list = await openList(fairlead, imported.listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'WorkPhone', 'LastName'] })
  const known = (await list.records()).filter(({ crmId }) => crmId !== null)
  for (const [at, { id }] of known.slice(0, 60).entries())
    await list.edit(id, { Title: `Secret title ${at}`, WorkPhone: `0309876${at + 1000}` })
  const made = Array.from({ length: 12 }, (_, at) => ({
    Email: `made.${at}@hidden.example`,
    LastName: `Madeperson${at}`,
    ...(at === 0 ? {} : { Company: `Madecompany${at}` }),
  }))
  for (const person of made) await list.create(person)
  for (const { crmId } of known.slice(80, 90))
    control.edit({ entity: 'lead', id: crmId!, values: { Title: 'Pulled title', LastName: 'Pulledperson' } })
  const onRead = { kind: 'leads', method: 'GET' }
  control.addFault({ kind: 'errorArray', status: 500, message: spoken, times: 40, after: 3, match: onRead })
  control.addFault({ kind: 'errorArray', status: 500, message: spoken, times: 12, after: 5, match: { method: 'PUT' } })
  control.addFault({ kind: 'errorArray', status: 400, message: spoken, times: 2, after: 20, match: { method: 'PUT' } })
  control.addFault({ kind: 'dropAfterWrite', times: 2, after: 2, match: { method: 'POST', kind: 'leads' } })
  control.addFault({ kind: 'forbidden', ids: [known[30]!.crmId!], match: { method: 'PUT' } })
  control.addFault({ kind: 'poison', ids: [known[85]!.crmId!] })
  const sync = await list.run()
  expect(sync.counts!['push']).toMatchObject({ created: 11 })
  expect(sync.counts!['push']!.rejected).toBeGreaterThan(0)
  control.edit({ entity: 'lead', id: known[100]!.crmId!, values: { Title: 'Differs there' } })
  const verify = await list.run('verify')
  expect(verify.counts!['verify']!.skipped).toBeGreaterThan(0)

  const histories = (await Promise.all([sync, verify].map(({ workflowId }) => fetchHistory(fairlead, workflowId)))).map(
    textsOf,
  )
  const all = histories.join('')
  expect(all).toContain(sync.id)
  const logged = lines.join('')
  expect(logged).toContain('activity failed')
  const given = [
    ...made.flatMap((person) => Object.values(person)),
    'Secret title',
    'Pulled title',
    '0309876',
    'jane.doe',
  ]
  for (const [text, where] of [
    [all, 'histories'],
    [logged, 'logs'],
  ] as const) {
    expectNone(text, where)
    expect(
      given.filter((secret) => text.includes(secret)),
      where,
    ).toEqual([])
  }
}, 60_000)

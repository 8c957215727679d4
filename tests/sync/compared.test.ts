import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { openSteps } from './steps.ts'

// R13, R9, R8: fields that are compared for the first time, because the record was just found in the CRM by its address. {absent, blank, given here} ×
// {blank, other, equal there} × {pulled} × {not pushed, pushed, pushed and cleared}. Whether a blank that was never agreed on may clear is not
// said by the rules: those cells are left out.

type Value = string | null
type Column = { name: string; pulled: boolean; pushed: boolean; clears: boolean }
type Pair = { here: Value | undefined; there: Value }

const columns: Column[] = [true, false].flatMap((pulled, p) =>
  ['none', 'pushed', 'clears'].map((how, n) => ({
    name: `UserField${3 + p * 3 + n}`,
    pulled,
    pushed: how !== 'none',
    clears: how === 'clears',
  })),
)
const pairs: Pair[] = [undefined, null, 'ours'].flatMap((here) =>
  [null, 'theirs', 'ours'].map((there) => ({ here, there })),
)
const isBlank = (value: Value | undefined): value is null | undefined => value === null || value === undefined

type Cell = { here: Value; there: Value; sent: boolean; before: unknown }

const expected = ({ here, there }: Pair, { pulled, pushed }: Column): Cell => {
  const own = here ?? null
  if (own === there) return { here: own, there, sent: false, before: undefined }
  if (pushed && !isBlank(here)) return { here, there: here, sent: true, before: there }
  return { here: pulled ? there : own, there, sent: false, before: undefined }
}

let fairlead: Fairlead
let crm: People
let list: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 20, contacts: 5 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  const names = columns.map(({ name }) => name)
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', ...names]))
  list = await openList(fairlead, run.listId!)
})
afterAll(() => fairlead.close())

const all = (value: Value): Record<string, Value> => Object.fromEntries(columns.map(({ name }) => [name, value]))
const lead = (email: string, values: Record<string, Value>): string =>
  crm.add('lead', { Email: email, LastName: 'Compared', Company: 'Compared', ...values })

test('R13: the ticked ones that differ are sent, the rest follows the CRM, and the CRM’s earlier value is kept', async () => {
  const named = (pick: (column: Column) => boolean): string[] => columns.filter(pick).map(({ name }) => name)
  const fields = named(({ pushed }) => pushed)
  await list.settings(
    { enabled: true, updateExisting: true, fields, clearFields: named(({ clears }) => clears) },
    { addNew: false, excludedFields: named(({ pulled }) => !pulled) },
  )
  const cases: { pair: Pair; crmId: string; recordId: string }[] = []
  for (const [n, pair] of pairs.entries()) {
    const email = `compared.${n}@example.com`
    const crmId = lead(email, all(pair.there))
    const given = pair.here === undefined ? {} : all(pair.here)
    cases.push({ pair, crmId, recordId: await list.create({ Email: email, LastName: 'Compared', ...given }) })
  }
  crm.takeWrites()
  const run = await list.run()
  expect(run).toMatchObject({ state: 'succeeded', counts: { push: { read: pairs.length, conflicts: 0 } } })
  expect(sumsAgree(run)).toBe(true)
  const writes = crm.takeWrites()
  const entries = await list.entries(run.id)
  const records = await list.records()
  const wrong: unknown[] = []
  for (const { pair, crmId, recordId } of cases) {
    const record = records.find(({ id }) => id === recordId)!
    expect(record.crmId).toBe(crmId)
    const body = writes.filter(({ id }) => id === crmId).map((write) => JSON.parse(write.body) as object)
    expect(body.length).toBeLessThanOrEqual(1)
    const said = entries.find((entry) => entry.recordId === recordId && entry.phase === 'push')!
    expect(said.code).toBe('linkedByEmail')
    for (const column of columns) {
      const { name } = column
      if (column.clears && isBlank(pair.here) && pair.there !== null) continue
      const sent = body.some((each) => name in each)
      const seen: Cell = {
        here: (record.values[name] ?? null) as Value,
        there: crm.control.person('lead', crmId)![name] as Value,
        sent,
        before: sent ? said.changes?.[name]?.before : undefined,
      }
      const right = expected(pair, column)
      if (JSON.stringify(seen) !== JSON.stringify(right)) wrong.push({ pair, column, seen, right })
      if (seen.here === seen.there) expect(record.agreed).not.toHaveProperty(name)
    }
  }
  expect(wrong).toEqual([])
  await openSteps(crm, list).quiet()
})

test('R13: what is ticked later is sent then, once', async () => {
  const steps = openSteps(crm, list)
  await list.settings({ enabled: true, addNew: true }, { enabled: false })
  const crmId = lead('later@example.com', { Title: 'CEO', UserField3: 'theirs' })
  const id = await list.create({ Email: 'later@example.com', LastName: 'Compared', Title: 'Owner', UserField3: 'ours' })
  const { of, said } = await steps.run()
  expect(said(id)).toMatchObject([{ kind: 'skipped', code: 'existsNotUpdated' }])
  // nothing is pulled: what was given here stays
  expect(of(id)).toMatchObject({ crmId, values: { Title: 'Owner', UserField3: 'ours' } })
  expect(crm.takeWrites()).toEqual([])
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] }, { enabled: false })
  const later = await steps.run()
  expect(later.said(id)).toMatchObject([{ kind: 'updated', changes: { Title: { before: 'CEO', after: 'Owner' } } }])
  expect(crm.control.person('lead', crmId)).toMatchObject({ Title: 'Owner', UserField3: 'theirs' })
  await steps.quiet()
})

test('R12: a sync pulls, then decides, then pushes', async () => {
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'UserField3'] })
  const steps = openSteps(crm, list)
  const crmId = lead('order@example.com', { Title: 'CEO', UserField3: 'before', UserField4: 'before' })
  const { id } = (await steps.run()).of(crmId)
  await list.edit(id, { Title: 'Owner', UserField3: 'ours' })
  crm.control.edit({ entity: 'lead', id: crmId, values: { UserField3: 'theirs', UserField4: 'theirs' } })
  crm.takeWrites()
  const run = await list.run()
  // the conflict was decided before anything was written
  expect(run.counts).toMatchObject({ pull: { updated: 1, conflicts: 1 }, push: { updated: 1, conflicts: 0 } })
  const entries = (await list.entries(run.id)).filter(({ recordId }) => recordId === id)
  expect(
    entries.map(({ phase, changes }) => [phase, Object.keys(changes!).filter((name) => name !== 'ModifyDate')]),
  ).toEqual([
    ['pull', ['UserField3', 'UserField4']],
    ['push', ['Title']],
  ])
  const lines = crm.control.journal().filter(({ path }) => path.includes('/leads'))
  const put = lines.findIndex(({ method }) => method === 'PUT')
  const [pulled] = entries
  expect(pulled!.changes!['UserField3']).toMatchObject({ before: 'ours', after: 'theirs', conflict: 'crmWins' })
  expect(lines.slice(0, put).filter(({ method }) => method === 'GET').length).toBeGreaterThan(0)
  expect(JSON.parse(lines[put]!.body!)).toEqual({ $key: crmId, Title: 'Owner' })
  crm.takeWrites()
  await steps.quiet()
})

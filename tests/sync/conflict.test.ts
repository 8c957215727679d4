import { afterAll, beforeAll, expect, test } from 'vitest'
import * as accounts from '../../src/db/account.ts'
import { operator } from '../../src/db/audit.ts'
import type { ConflictRule } from '../../src/domain/account.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectGood, openList, sumsAgree, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'

// R9, R11, R13 for one value: {blank or present before} × {kept, changed, cleared here} × {kept, changed, cleared, changed alike there} × {which change
// is later} × {pulled} × {not pushed, pushed, pushed and cleared} × {the account's rule}. A column for each way of syncing, a person for each history.

type Value = string | null
type Column = { name: string; pulled: boolean; pushed: boolean; clears: boolean }
type History = { base: Value; here: Value; there: Value; weAreLater: boolean }
type Cell = { here: Value; there: Value; sent: boolean; pending: boolean; conflict: 'crmWins' | 'oursWins' | null }

const columns: Column[] = [true, false].flatMap((pulled, p) =>
  ['none', 'pushed', 'clears'].map((how, n) => ({
    name: `UserField${3 + p * 3 + n}`,
    pulled,
    pushed: how !== 'none',
    clears: how === 'clears',
  })),
)
const histories: History[] = ['before', null].flatMap((base) =>
  [true, false].flatMap((weAreLater) =>
    [base, 'ours', null].flatMap((here) =>
      [base, 'theirs', null, 'ours'].map((there) => ({ base, here, there, weAreLater })),
    ),
  ),
)

/** What must come of one value, said anew from the rules. */
const expected = ({ base, here, there, weAreLater }: History, column: Column, rule: ConflictRule): Cell => {
  const keep: Cell = { here, there, sent: false, pending: here !== base, conflict: null }
  if (here === there) return { ...keep, pending: false }
  if (here === base) return column.pulled ? { ...keep, here: there } : keep
  const mayGo = column.pushed && (here !== null || column.clears)
  const send: Cell = mayGo ? { ...keep, there: here, sent: true, pending: false } : keep
  if (there === base || !column.pulled) return send
  if (rule === 'latestWins' && weAreLater) return { ...send, conflict: 'oursWins' }
  return { here: there, there, sent: false, pending: false, conflict: 'crmWins' }
}

let fairlead: Fairlead
let crm: People
let list: TestList
type Case = { history: History; crmId: string; recordId: string }
const cases: Record<ConflictRule, Case[]> = { crmWins: [], latestWins: [] }

const all = (value: Value): Record<string, Value> => Object.fromEntries(columns.map(({ name }) => [name, value]))

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 20, contacts: 5 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  for (const [rule, some] of Object.entries(cases))
    for (const [n, history] of histories.entries()) {
      const values = { Email: `${rule}.${n}@example.com`, LastName: 'Case', Company: 'Cases', ...all(history.base) }
      some.push({ history, crmId: crm.add('lead', values), recordId: '' })
    }
  const run = await fairlead.finished(
    await fairlead.startImport(
      'lead',
      columns.map(({ name }) => name),
    ),
  )
  list = await openList(fairlead, run.listId!)
  const byLink = new Map((await list.records()).map((record) => [record.crmId, record.id]))
  for (const one of Object.values(cases).flat()) one.recordId = byLink.get(one.crmId)!
  const named = (pick: (column: Column) => boolean): string[] => columns.filter(pick).map(({ name }) => name)
  await list.settings(
    {
      enabled: true,
      updateExisting: true,
      fields: named(({ pushed }) => pushed),
      clearFields: named(({ clears }) => clears),
    },
    { excludedFields: named(({ pulled }) => !pulled) },
  )
})
afterAll(() => fairlead.close())

test.each(['crmWins', 'latestWins'] as const)(
  'R9, R11, R13: with %s each value comes to what the rules say',
  async (rule) => {
    await accounts.update(fairlead.db, fairlead.accountId, { conflict: rule }, operator)
    const minute = 60_000
    for (const { history, crmId, recordId } of cases[rule]) {
      const { base, here, there, weAreLater } = history
      if (here !== base) await list.edit(recordId, all(here))
      if (there === base) continue
      crm.control.edit({ entity: 'lead', id: crmId, values: all(there) })
      const at = new Date(Date.now() + (weAreLater ? -5 : 5) * minute).toISOString()
      crm.control.setModifyDate({ entity: 'lead', ids: [crmId], at })
    }
    crm.takeWrites()
    const run = await list.run()
    expectGood(run)

    const records = new Map((await list.records()).map((record) => [record.id, record]))
    const entries = await list.entries(run.id)
    const writes = crm.takeWrites()
    const wrong: unknown[] = []
    let [conflicts, sent] = [0, 0]
    for (const { history, crmId, recordId } of cases[rule]) {
      const record = records.get(recordId)!
      const person = crm.control.person('lead', crmId)!
      const said = entries.filter((entry) => entry.recordId === recordId)
      const bodies = writes
        .filter(({ id }) => id === crmId)
        .map(({ body }) => JSON.parse(body) as Record<string, Value>)
      let goes = false
      for (const column of columns) {
        const { name } = column
        const right = expected(history, column, rule)
        const change = said.map(({ changes }) => changes?.[name]).find((each) => each !== undefined)
        const seen: Cell = {
          here: record.values[name] as Value,
          there: person[name] as Value,
          sent: bodies.some((body) => name in body),
          pending: record.agreed[name] !== undefined,
          conflict: (change?.conflict as Cell['conflict']) ?? null,
        }
        if (right.conflict !== null) conflicts += 1
        // nothing was changed for an entry to tell of
        if (right.conflict === 'oursWins' && !right.sent) right.conflict = null
        if (JSON.stringify(seen) !== JSON.stringify(right)) wrong.push({ history, column, seen, right })
        // the loser's value is kept
        if (right.conflict !== null && change !== undefined)
          expect(change.before).toBe(right.conflict === 'crmWins' ? history.here : history.there)
        goes ||= right.sent
      }
      expect(bodies.length).toBe(goes ? 1 : 0)
      sent += bodies.length
    }
    expect(wrong.slice(0, 5), `${wrong.length} wrong`).toEqual([])
    expect(run.counts!['pull']!.conflicts! + run.counts!['push']!.conflicts!).toBe(conflicts)
    expect(run.counts!['push']!.updated).toBe(sent)

    const before = { records: await list.records(), crm: crm.everybody() }
    const again = await list.run()
    expect(sumsAgree(again)).toBe(true)
    expect(again.counts).toMatchObject({ pull: { updated: 0 }, push: { updated: 0, conflicts: 0 } })
    expect(crm.takeWrites()).toEqual([])
    expect({ records: await list.records(), crm: crm.everybody() }).toEqual(before)
  },
)

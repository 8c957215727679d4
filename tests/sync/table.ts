import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as accounts from '../../src/db/account.ts'
import { operator } from '../../src/db/audit.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectGood, sumsAgree, type EntryRow, type Held } from '../support/sync.ts'
import { openLanes, ours, prepare, restOf, rules, syncAll, type Case, type Combination, type Lane } from './cases.ts'
import { expected, type Expected } from './oracle.ts'
import { changed, openPeople, type People, type Truth, type Write } from './people.ts'

// {linked or not} × {who has the address in the CRM} × {add new} × {update existing} × {a field ticked} × {ambiguousMatch} × {list of leads, of
// contacts}: every list has settings of its own, and every situation is another person, so that one run settles all situations of a combination.

type Sides = { writes: Write[]; before: Map<string, Truth>; after: Map<string, Truth> }
type Seen = Sides & { record: Held; entries: EntryRow[]; own: CrmEntity }

const isOf = (one: Case, email: unknown): boolean => String(email).trim().toLowerCase() === one.email

/** Leads that were made for a case, each by one request and with all that the record holds. */
const madeFor = (one: Case, { writes, before, after }: Sides): Truth[] => {
  const made = [...after.values()].filter(({ Id, Email }) => !before.has(Id) && isOf(one, Email))
  const requests = writes.filter(({ id, body }) => id === null && isOf(one, (JSON.parse(body) as Truth)['Email']))
  expect(requests.length).toBe(made.length)
  const { 'Address/City': City, ...rest } = restOf('lead')
  for (const lead of made) expect(lead).toMatchObject({ ...ours, ...rest, Address: { City } })
  return made
}

/** What was seen of one case, in the oracle's words. */
const observe = (one: Case, seen: Seen): Expected => {
  const { record, entries, before, after, own } = seen
  const made = madeFor(one, seen)
  const everybody = [...one.people.map(({ id }) => id), one.link].filter((id) => id !== null)
  const writes = seen.writes.flatMap(({ id }) => (id !== null && everybody.includes(id) ? [id] : []))
  for (const id of everybody.filter((each) => after.has(each)))
    expect(changed(before.get(id)!, after.get(id)!)).toEqual(writes.includes(id) ? { Title: ours.Title } : {})
  const side = (name: string, value: unknown) => (record.values[name] === value ? 'ours' : 'theirs')
  const rest = new Set(Object.entries(restOf(own)).map(([name, value]) => side(name, value)))
  expect(rest.size).toBe(1)
  // the CRM's earlier value is kept on the entry
  for (const { changes } of entries)
    if (changes?.['Title']?.after === ours.Title && made.length === 0)
      expect(['Found', 'Linked']).toContain(changes['Title'].before)
  const ended = entries.map(({ kind, code }) => `${kind}:${code ?? ''}`)
  return {
    entries: ended,
    link: record.crmId !== null && record.crmId === made[0]?.Id ? 'new' : record.crmId,
    writes: writes.toSorted(),
    others: entries
      .flatMap(({ warnings }) => warnings ?? [])
      .flatMap(({ code, ids = [] }) => (code === 'otherMatches' ? ids : []))
      .toSorted(),
    holds: { ticked: side('Title', ours.Title), edited: side('WorkPhone', ours.WorkPhone), rest: [...rest][0]! },
    pending: (['ticked', 'edited'] as const).filter((name) => {
      const agreed = record.agreed[name === 'ticked' ? 'Title' : 'WorkPhone']
      if (agreed !== undefined) expect(agreed.v).toBe(name === 'ticked' ? 'Linked' : '+1-555-0000')
      return agreed !== undefined
    }),
    deleted: record.state === 'deletedInCrm',
    relinked: ended.filter((entry) => /^relinked|ByEmail$|NotUpdated$/.test(entry)).length,
  }
}

/** The counts of a push, added up from what must come of each case. */
const countsOf = (oracle: Expected[]) => {
  const entries = oracle.flatMap((each) => each.entries)
  const count = (kind: string): number => entries.filter((entry) => entry.startsWith(`${kind}:`)).length
  const [created, updated, skipped] = [count('created'), count('updated'), count('skipped')]
  return {
    read: created + updated + skipped,
    created,
    updated,
    unchanged: 0,
    skipped,
    rejected: 0,
    deleted: count('deleted'),
    relinked: oracle.reduce((sum, each) => sum + each.relinked, 0),
    conflicts: 0,
  }
}

/** Declares the tests of these combinations of settings. */
export const proveTable = (combinations: Combination[]): void => {
  let fairlead: Fairlead
  let crm: People
  let lanes: Lane[]

  beforeAll(async () => {
    fairlead = await openFairlead({ leads: 20, contacts: 20 })
    crm = openPeople(fairlead)
    await fairlead.connect()
    lanes = await openLanes(fairlead, crm, combinations)
  }, 120_000)
  afterAll(() => fairlead.close())

  const together = <T>(work: (lane: Lane) => Promise<T>): Promise<T[]> => Promise.all(lanes.map(work))

  test.each(rules)(
    'R3–R17: with ambiguousMatch %s every combination comes to what the rules say, once',
    async (match) => {
      await accounts.update(fairlead.db, fairlead.accountId, { ambiguousMatch: match }, operator)
      await together(async (lane) => {
        const { addNew, updateExisting, ticked } = lane.settings
        const fields = ticked ? ['Title'] : []
        await lane.list.settings({ enabled: true, addNew, updateExisting, fields }, { addNew: false })
        for (const one of lane.cases[match]) await prepare(crm, lane, one)
      })
      crm.takeWrites()
      const before = crm.everybody()
      const runs = await syncAll(fairlead, lanes)
      const writes = crm.takeWrites()
      const after = crm.everybody()

      const wrong: { name: string; seen: Expected; right: Expected }[] = []
      let sent = 0
      for (const [at, { settings, list, cases }] of lanes.entries()) {
        const run = runs[at]!
        expectGood(run)
        const records = new Map((await list.records()).map((record) => [record.id, record]))
        const entries = (await list.entries(run.id)).filter(({ phase }) => phase === 'push')
        const oracle: Expected[] = []
        for (const one of cases[match]) {
          const said = entries.filter(({ recordId }) => recordId === one.recordId)
          const found = { record: records.get(one.recordId)!, entries: said, own: settings.own, writes, before, after }
          const seen = observe(one, found)
          const right = expected({ ...settings, match }, one.linked, one.link, one.people)
          const name = `${JSON.stringify(settings)} linked: ${one.linked}, in the CRM: ${one.name}`
          if (!isDeepStrictEqual(seen, right)) wrong.push({ name, seen, right })
          sent += right.writes.length + (right.link === 'new' ? 1 : 0)
          oracle.push(right)
        }
        expect(run.counts!['push']).toMatchObject(countsOf(oracle))
        expect(run.counts!['pull']).toMatchObject({ created: 0, rejected: 0, conflicts: 0 })
      }
      expect(wrong.slice(0, 5), `${wrong.length} wrong`).toEqual([])
      expect(writes.length).toBe(sent)

      // R7, R11: nothing is left to be done
      const links = () =>
        together(async ({ list, cases }) => {
          const records = new Map((await list.records()).map(({ id, crmId }) => [id, crmId]))
          return cases[match].map(({ recordId }) => records.get(recordId))
        })
      const linked = await links()
      const again = await syncAll(fairlead, lanes)
      expect(crm.takeWrites()).toEqual([])
      expect(await links()).toEqual(linked)
      for (const [at, run] of again.entries()) {
        expect(sumsAgree(run)).toBe(true)
        const none = { created: 0, updated: 0, deleted: 0, relinked: 0, rejected: 0 }
        expect(run).toMatchObject({ state: 'succeeded', counts: { push: none } })
        // whoever waits for a decision or for "add new" is listed again by each run: not by those of the next rule
        const { list } = lanes[at]!
        for (const { kind, recordId } of await list.entries(run.id))
          if (kind === 'skipped' && recordId) await list.remove(recordId)
      }
    },
    120_000,
  )
}

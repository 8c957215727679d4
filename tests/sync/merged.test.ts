import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CrmEntity } from '../../src/domain/crm.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { openSteps, type Steps } from './steps.ts'

let fairlead: Fairlead
let crm: People
let leads: Steps
let contacts: Steps

const open = async (entity: CrmEntity, fields: string[]): Promise<Steps> => {
  const { listId } = await fairlead.finished(await fairlead.startImport(entity, fields))
  const list = await openList(fairlead, listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'WorkPhone'] })
  return openSteps(crm, list)
}

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 30, contacts: 30 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  leads = await open('lead', ['Company', 'Title', 'WorkPhone'])
  contacts = await open('contact', ['Department', 'Title', 'WorkPhone'])
}, 60_000)
afterAll(() => fairlead.close())
beforeEach(() => {
  crm.takeWrites()
})

let made = 0
const address = (): string => `merged.${(made += 1)}@example.com`
const person = (entity: CrmEntity, email: string, more: Record<string, unknown> = {}): string =>
  crm.add(entity, { Email: email, FirstName: 'Mer', LastName: 'Ged', Title: 'CEO', ...more })

describe('R16: merged contacts', () => {
  test('are one record: what was edited of the loser goes to the survivor, and the entry says so', async () => {
    const email = address()
    const [survivor, loser] = [person('contact', email), person('contact', email)]
    const first = await contacts.run()
    const [kept, lost] = [first.of(survivor).id, first.of(loser).id]
    await contacts.edit(lost, { Title: 'Owner' })
    crm.control.merge({ entity: 'contact', survivorId: survivor, loserIds: [loser] })
    const { of, said, counts } = await contacts.run()
    expect(of(lost)).toMatchObject({ removed: true, mergedInto: kept })
    expect(said(lost)).toMatchObject([{ kind: 'relinked', code: 'merged' }])
    expect(said(lost)[0]!.warnings).toContainEqual({ code: 'mergedIntoRecord', ids: [kept] })
    expect(counts['push']).toMatchObject({ deleted: 0, created: 0, relinked: 1 })
    await contacts.run()
    expect(crm.control.person('contact', survivor)).toMatchObject({ Title: 'Owner' })
    expect(
      (await contacts.records()).filter(({ values, removed }) => values['Email'] === email && !removed),
    ).toHaveLength(1)
    await contacts.quiet()
  })

  test('are one record after a sweep, too', async () => {
    const email = address()
    const [survivor, loser] = [person('contact', email), person('contact', email, { Department: 'Sales' })]
    const first = await contacts.run()
    const [kept, lost] = [first.of(survivor).id, first.of(loser).id]
    crm.control.merge({ entity: 'contact', survivorId: survivor, loserIds: [loser] })
    const { of } = await contacts.run('sweep')
    expect(of(lost)).toMatchObject({ removed: true, mergedInto: kept })
    expect((await contacts.run()).of(kept)).toMatchObject({ crmId: survivor, values: { Department: 'Sales' } })
    await contacts.quiet()
  })
})

test('R16, section 4: who is not to be added, and takes over a record in the same sweep, is on the list and balances', async () => {
  const loser = person('lead', address())
  const { id } = (await leads.run()).of(loser)
  await leads.settings({}, { addNew: false })
  const heir = person('lead', address())
  crm.control.remove({ entity: 'lead', ids: [loser] })
  // a run of another list finds out who took over, after this one has settled whom it does not add and before its next round
  const sql = fairlead.db.$client
  await sql.unsafe(`
    create function found_out() returns trigger language plpgsql as $$ begin
      update crm_people set state = 'merged', successor_entity = 'lead', successor_id = '${heir}' where crm_id = '${loser}';
      return null;
    end $$;
    create trigger found_out after insert on entries for each row when (new.code = 'notAdded' and new.crm_id = '${heir}') execute function found_out()`)
  try {
    const { of, said, counts } = await leads.run('sweep')
    expect(of(id)).toMatchObject({ crmId: heir, state: null, removed: false })
    expect(said(heir).map(({ code }) => code)).toEqual(['notAdded', 'merged', null])
    expect(counts['sweep']).toMatchObject({ deleted: 1, relinked: 1, skipped: 1 })
  } finally {
    await sql.unsafe('drop trigger found_out on entries; drop function found_out()')
    await leads.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'WorkPhone'] })
  }
})

describe('R15: a deleted person', () => {
  test.each(['push', 'sweep'] as const)(
    'found by a %s is marked once, is out of pushes, and never created again',
    async (how) => {
      const email = address()
      const lead = person('lead', email)
      const { id } = (await leads.run()).of(lead)
      crm.control.remove({ entity: 'lead', ids: [lead] })
      await leads.edit(id, { Title: 'Owner' })
      const { of, counts } = await leads.run(how === 'push' ? 'sync' : 'sweep')
      expect(of(id)).toMatchObject({ state: 'deletedInCrm', crmId: lead, removed: false, values: { Title: 'Owner' } })
      expect(counts[how]).toMatchObject({ deleted: 1, relinked: 0 })
      await leads.edit(id, { Title: 'Buyer', WorkPhone: '1' })
      const after = await leads.run()
      expect(after.counts['push']).toMatchObject({ read: 0, created: 0, deleted: 0 })
      expect((await leads.run('sweep')).counts['sweep']).toMatchObject({ deleted: 0, created: 0 })
      expect(crm.takeWrites()).toEqual([])
      expect([...crm.everybody().values()].filter(({ Email }) => Email === email)).toEqual([])
    },
  )
})

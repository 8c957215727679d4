import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Event } from '../../src/api/record/timelineJson.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList, type TestList } from '../support/sync.ts'
import { hereTroubles, type Seen } from '../support/randomTimeline.ts'
import { openTimelines, type Timelines } from '../support/timeline.ts'
import { openPeople, type People } from './people.ts'

let fairlead: Fairlead
let crm: People
let list: TestList
let timelines: Timelines

const pushing = {
  enabled: true,
  addNew: true,
  updateExisting: true,
  fields: ['Email', 'Company', 'WorkPhone', 'Title'],
}

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 5, contacts: 5 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  timelines = await openTimelines(fairlead)
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company', 'WorkPhone', 'Title']))
  list = await openList(fairlead, run.listId!)
  await list.settings(pushing)
  crm.control.settings({ overlongText: 'cut', rewrites: { Lead: { WorkPhone: 'digits' } } })
}, 60_000)
afterAll(async () => {
  await timelines.close()
  await fairlead.close()
})

const sync = async (): Promise<string> => {
  const run = await list.run()
  expect(run).toMatchObject({ error: null })
  return run.id
}
const recordOf = async (crmId: string): Promise<string> =>
  (await list.records()).find((record) => record.crmId === crmId)!.id
const addressOf = (recordId: string): string => `/v1/lists/${list.listId}/records/${recordId}`
/** What an event says besides its time, with the stamps of the CRM left out. */
const told = ({ kind, code, rule, run, by, crm: person, changes, otherRecordId }: Event) => {
  const { ModifyDate: _date, CreateDate: _created, ...rest } = changes
  return {
    kind,
    ...(code && { code }),
    ...(rule && { rule: rule.code }),
    ...(run && { run: run.id }),
    ...(by && { by: by.name }),
    ...(person && { crm: person.id }),
    ...(Object.keys(rest).length > 0 && { changes: rest }),
    ...(otherRecordId && { other: otherRecordId }),
  }
}

test('one record’s life is told in order: who, by which rule, which side won, what was sent and answered', async () => {
  const Email = 'life@example.com'
  const id = crm.add('lead', { Email, LastName: 'Life', Company: 'Lives', WorkPhone: '1', Title: 'CEO' })
  const pulled = await sync()
  const recordId = await recordOf(id)
  await timelines.call('PATCH', addressOf(recordId), { fields: { WorkPhone: '+1 (555) 2', Title: 'Owner' } })
  crm.control.edit({ entity: 'lead', id, values: { Title: 'Boss' } })
  const met = await sync()
  const twin = await timelines.call('POST', `/v1/lists/${list.listId}/records`, {
    email: Email,
    lastName: 'Life',
    fields: { Company: 'Lives & Sons' },
  })
  const merged = await sync()
  await timelines.call('DELETE', addressOf(recordId))
  await timelines.call('POST', `${addressOf(recordId)}/restore`)
  const events = await timelines.read(list.listId, recordId, 2)
  expect(events.map(told)).toEqual([
    { kind: 'created', rule: 'matchedById', run: pulled, crm: id },
    {
      kind: 'edited',
      by: 'asks',
      changes: {
        WorkPhone: { before: '1', after: '+1 (555) 2', side: 'here' },
        Title: { before: 'CEO', after: 'Owner', side: 'here' },
      },
    },
    {
      kind: 'pulled',
      rule: 'matchedById',
      run: met,
      crm: id,
      changes: { Title: { before: 'Owner', after: 'Boss', side: 'here', conflict: 'crmWins' } },
    },
    {
      kind: 'pushed',
      rule: 'matchedById',
      run: met,
      crm: id,
      changes: {
        WorkPhone: {
          before: '1',
          after: '15552',
          side: 'crm',
          sent: '+1 (555) 2',
          here: { before: '+1 (555) 2', after: '15552' },
        },
      },
    },
    {
      kind: 'merged',
      rule: 'merged',
      run: merged,
      other: twin.body.id,
      changes: { Company: { before: 'Lives', after: 'Lives & Sons', side: 'here' } },
    },
    {
      kind: 'pushed',
      rule: 'matchedById',
      run: merged,
      crm: id,
      changes: { Company: { before: 'Lives', after: 'Lives & Sons', side: 'crm' } },
    },
    { kind: 'removed', by: 'asks' },
    { kind: 'restored', by: 'asks' },
  ])
  expect(events[0]).toMatchObject({ complete: true, values: { Email, WorkPhone: '1', Title: 'CEO', Company: 'Lives' } })
  expect(events[3]!.warnings).toMatchObject([{ code: 'valueRewritten', field: 'WorkPhone' }])
  const times = events.map(({ at }) => at)
  expect(times).toEqual(times.toSorted())
  // the other record tells its half
  expect((await timelines.read(list.listId, twin.body.id)).map(told)).toEqual([
    { kind: 'created', by: 'asks' },
    { kind: 'merged', rule: 'merged', run: merged, other: recordId },
    expect.objectContaining({ kind: 'skipped', code: 'mergedIntoRecord', rule: 'merged', other: recordId }),
  ])
})

test('a new lead, and a person found by address, say so; what was cut is cut here too', async () => {
  const fresh = await list.create({
    Email: 'fresh@example.com',
    LastName: 'Fresh',
    Company: 'New',
    Title: 'T'.repeat(90),
  })
  const known = crm.add('lead', { Email: 'known@example.com', LastName: 'Known', Company: 'Old', Title: 'CEO' })
  await list.settings(pushing, { addNew: false })
  const found = await list.create({ Email: 'KNOWN@example.com', LastName: 'Known', Company: 'Newer' })
  const run = await sync()
  await list.settings(pushing)
  const [, made] = (await timelines.read(list.listId, fresh)).map(told)
  expect(made).toMatchObject({ kind: 'pushed', rule: 'createdLead', run })
  expect(made!.changes!['Title']).toEqual({
    before: null,
    after: 'T'.repeat(64),
    side: 'crm',
    here: { before: 'T'.repeat(90), after: 'T'.repeat(64) },
  })
  expect((await timelines.read(list.listId, found)).map(told)).toEqual([
    { kind: 'created' },
    { kind: 'skipped', code: 'notAdded', run, crm: known },
    {
      kind: 'pushed',
      code: 'linkedByEmail',
      rule: 'matchedByEmail',
      run,
      crm: known,
      changes: expect.objectContaining({
        Company: { before: 'Old', after: 'Newer', side: 'crm' },
        Title: { after: 'CEO', side: 'here' },
      }),
    },
  ])
})

test('a value that the CRM got by itself as well is told, and so is a person who is gone, or back', async () => {
  const id = crm.add('lead', { Email: 'both@example.com', LastName: 'Both', Company: 'Both', Title: 'CEO' })
  await sync()
  const recordId = await recordOf(id)
  await list.edit(recordId, { Title: 'Owner' })
  crm.control.edit({ entity: 'lead', id, values: { Title: 'Owner' } })
  const run = await sync()
  crm.control.remove({ entity: 'lead', ids: [id] })
  const sweep = await list.run('sweep')
  const events = (await timelines.read(list.listId, recordId)).map(told)
  expect(events.slice(1)).toEqual([
    { kind: 'edited', changes: { Title: { before: 'CEO', after: 'Owner', side: 'here' } } },
    // its date is news, its value is not
    expect.objectContaining({ kind: 'pulled', run }),
    { kind: 'seen', rule: 'matchedById', run, changes: { Title: { before: 'CEO', after: 'Owner', side: 'crm' } } },
    { kind: 'deletedInCrm', code: 'deletedInCrm', run: sweep.id, crm: id },
  ])
})

test('a converted lead is followed, and its own entries stay with the record', async () => {
  const id = crm.add('lead', { Email: 'turn@example.com', LastName: 'Turn', Company: 'Turned', Title: 'CEO' })
  await sync()
  const recordId = await recordOf(id)
  const { contactId } = crm.control.convert({ leadId: id })
  const sweep = await list.run('sweep')
  const events = await timelines.read(list.listId, recordId)
  expect(told(events[0]!)).toMatchObject({ kind: 'created', crm: id })
  expect(events.slice(1).map(told)).toContainEqual({
    kind: 'followed',
    code: 'converted',
    rule: 'followedConversion',
    run: sweep.id,
    crm: contactId,
  })
})

test('a timeline without one of its events does not lead to the values', async () => {
  const sql = fairlead.db.$client
  const recordId = await list.create({ Email: 'hole@example.com', LastName: 'Hole', Title: 'CEO' })
  const seen: Seen[] = []
  const look = async (): Promise<void> => {
    const [{ before }] = await sql<[{ before: string }]>`select uuidv7()::text as before`
    seen.push({ before, values: (await list.records()).find(({ id }) => id === recordId)!.values })
  }
  const troubles = async (): Promise<string[]> => hereTroubles(await timelines.read(list.listId, recordId), seen)
  await look()
  for (const Title of ['Boss', 'Owner']) {
    await list.edit(recordId, { Title })
    await look()
  }
  expect(await troubles()).toEqual([])
  const edits = await sql<{ id: string }[]>`select id from edits where record_id = ${recordId} and kind = 'edited'`
  expect(edits).toHaveLength(2)
  for (const { id } of edits) {
    await sql`update edits set record_id = uuidv7() where id = ${id}`
    expect(await troubles()).not.toEqual([])
    await sql`update edits set record_id = ${recordId} where id = ${id}`
  }
  await sql`update edits set record_id = uuidv7() where record_id = ${recordId}`
  expect(await troubles()).not.toEqual([])
})

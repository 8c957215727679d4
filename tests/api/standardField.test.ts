import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { lockFields } from '../../src/db/standardField/read.ts'
import { until } from '../support/fairlead.ts'
import { addConnection, addList, addRecords, crmFields, field } from './rows.ts'

let api: TestApi
let account: Account
let connectionId: string

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const address = (name: string) => ({ ...field(`Address/${name}`), address: true })
const leadFields = [
  ...crmFields.slice(0, 5),
  field('Company'),
  address('City'),
  address('Address1'),
  address('CRegion'),
]
const contactFields = [...crmFields.slice(0, 5), field('AccountName'), address('City'), address('PostalCode')]

const setFields = async (): Promise<void> => {
  for (const [entity, fields] of [
    ['lead', leadFields],
    ['contact', contactFields],
  ] as const)
    await api.db.$client`
      update crm_fields set fields = ${JSON.stringify(fields)}::text::jsonb where connection_id = ${connectionId} and entity = ${entity}`
}
beforeEach(async () => {
  account = await api.newAccount()
  connectionId = await addConnection(api.db, account.id)
  await setFields()
})

const read = async (query = '') =>
  (await api.call('GET', `/v1/standard-fields${query}`, { key: account.keys.viewer })).body
const put = (body: object, key = account.keys.admin) => api.call('PUT', '/v1/standard-fields', { key, body })
const optimize = () => api.call('POST', '/v1/standard-fields/optimize', { key: account.keys.admin })
const city = { name: 'Business City', aliases: ['City', 'Ort'], systemUsage: 'businessCity' }
const newList = async (name: string, ...names: string[]): Promise<string> => {
  const body = { name, columns: names.map((each) => ({ name: each })) }
  return (await api.call('POST', '/v1/lists', { key: account.keys.marketer, body })).body.id
}
type Shown = { id: string; name: string; standardField: string | null; leadField: string; contactField: string }
const columnsOf = async (listId: string): Promise<Shown[]> =>
  (await api.call('GET', `/v1/lists/${listId}/columns`, { key: account.keys.viewer })).body.items
const meaning = async (listId: string) =>
  Object.fromEntries((await columnsOf(listId)).slice(3).map(({ name, standardField }) => [name, standardField]))
const patch = async (listId: string, name: string, body: object) => {
  const { id } = (await columnsOf(listId)).find((column) => column.name === name)!
  return api.call('PATCH', `/v1/lists/${listId}/columns/${id}`, { key: account.keys.marketer, body })
}

describe('A1: standard field names', () => {
  test('are saved as a whole, with the fields of their usage, and what was read can be sent back', async () => {
    expect(await read()).toMatchObject({ version: 0, items: [], columns: [], nextCursor: null })
    const saved = await put({ version: 0, items: [city, { name: 'Region', leadField: 'address/cregion' }] })
    expect(saved.body).toMatchObject({
      version: 1,
      items: [
        { ...city, leadField: 'Address/City', contactField: 'Address/City' },
        { name: 'Region', aliases: [], systemUsage: null, leadField: 'Address/CRegion', contactField: null },
      ],
    })
    const before = await read()
    expect(before.usages).toContainEqual(expect.objectContaining({ code: 'company', contactField: 'AccountName' }))
    expect((await put(before)).body).toEqual({ version: 2, items: before.items })
    const [first, second] = before.items
    const swapped = [
      { ...second, name: first.name },
      { ...first, name: second.name, aliases: [] },
    ]
    expect((await put({ version: 2, items: swapped })).body.items.map(({ id }: { id: string }) => id)).toEqual([
      second.id,
      first.id,
    ])
  })

  test('from another version, ambiguous, by a marketer or a stranger they are refused, and nothing is stored', async () => {
    await put({ version: 0, items: [city] })
    expect((await put({ version: 0, items: [] })).body).toMatchObject({ status: 409, code: 'conflict', version: 1 })
    const twice = [city, { name: 'Place', aliases: ['O R T'] }]
    expect((await put({ version: 1, items: twice })).body).toMatchObject({
      code: 'nameTaken',
      errors: [{ path: 'items[1].aliases[0]' }],
    })
    expect((await put({ version: 1, items: [], strange: 1 })).body).toMatchObject({ code: 'invalidInput' })
    expect((await put({ version: 1, items: [] }, account.keys.marketer)).status).toBe(403)
    expect(await read()).toMatchObject({ version: 1, items: [city] })
    const other = await api.call('GET', '/v1/standard-fields', { key: api.stranger.keys.admin })
    expect(other.body).toMatchObject({ version: 0, items: [], columns: [] })
  })

  test('of two saves at once one is stored', async () => {
    const answers = await Promise.all([put({ version: 0, items: [city] }), put({ version: 0, items: [] })])
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409])
  })
})

describe('A1: columns are recognised', () => {
  test('when a list is made, when a column is added or renamed, and when the names are saved', async () => {
    await put({ version: 0, items: [city] })
    const listId = await newList('Fair', 'ORT', 'PLZ')
    expect(await meaning(listId)).toEqual({ ORT: 'Business City', PLZ: null })
    const key = account.keys.marketer
    const added = await api.call('POST', `/v1/lists/${listId}/columns`, { key, body: { name: 'Hobby' } })
    expect(added.body).toMatchObject({ standardField: null, leadField: null, contactField: null })
    const zip = { name: 'Zip', aliases: ['plz', 'Postleitzahl'], systemUsage: 'businessZip' }
    await put({ version: 1, items: [...(await read()).items, zip] })
    expect(await meaning(listId)).toEqual({ ORT: 'Business City', PLZ: 'Zip', Hobby: null })
    expect((await patch(listId, 'Hobby', { name: 'Postleitzahl' })).body).toMatchObject({ standardField: 'Zip' })
    // a lead has no such field in this CRM
    expect((await columnsOf(listId)).find(({ name }) => name === 'PLZ')).toMatchObject({
      leadField: null,
      contactField: 'Address/PostalCode',
    })
  })

  test('when a file brings new columns', async () => {
    await put({ version: 0, items: [city] })
    const listId = await newList('Upload')
    const answer = await api.call('POST', `/v1/lists/${listId}/upload?unknownColumns=create`, {
      key: account.keys.marketer,
      headers: { 'content-type': 'text/csv' },
      raw: 'E-mail,Ort\r\npat@example.com,Bonn\r\n',
    })
    expect(answer.status).toBe(202)
    expect(await meaning(listId)).toEqual({ Ort: 'Business City' })
  })

  test('one that a person has set stays so, null too; one whose standard field is gone is recognised anew', async () => {
    await put({ version: 0, items: [city, { name: 'Place' }] })
    const listId = await newList('By hand', 'Ort', 'Home', 'Stadt')
    expect((await patch(listId, 'Ort', { standardField: null })).body).toMatchObject({ standardField: null })
    expect((await patch(listId, 'Home', { standardField: 'ort' })).body).toMatchObject({
      standardField: 'Business City',
    })
    expect((await patch(listId, 'Stadt', { standardField: 'Place' })).body).toMatchObject({ standardField: 'Place' })
    const [first] = (await read()).items
    await put({ version: 1, items: [first, { name: 'Town', aliases: ['Stadt'] }] })
    expect(await meaning(listId)).toEqual({ Ort: null, Home: 'Business City', Stadt: 'Town' })
    for (const [name, said] of [
      ['Ort', 'Nothing'],
      ['E-mail', 'Town'],
    ] as const)
      expect((await patch(listId, name, { standardField: said })).body).toMatchObject({
        code: 'invalidInput',
        errors: [{ path: 'standardField' }],
      })
  })

  test('one that is nothing in the CRM any more has no edits that wait, however it came to that', async () => {
    const ways: ((listId: string) => Promise<unknown>)[] = [
      (listId) => patch(listId, 'Ort', { standardField: null }),
      async () => put({ version: (await read()).version, items: [{ ...city, systemUsage: null }] }),
      async () => put({ version: (await read()).version, items: [] }),
    ]
    for (const [index, way] of ways.entries()) {
      const { version, items } = await read()
      await put({ version, items: [{ ...city, ...(items[0] && { id: items[0].id }) }] })
      const listId = await newList(`Lost ${index}`, 'Ort', 'Hobby')
      const [id] = await addRecords(api.db, api.secrets, account.id, listId, [
        { fields: { c8: 'Bonn' }, crmEntity: 'lead', crmId: `L${index}` },
      ])
      const path = `/v1/lists/${listId}/records/${id}`
      const { marketer: key } = account.keys
      const edited = await api.call('PATCH', path, { key, body: { firstName: 'Pat', fields: { Ort: 'Köln' } } })
      expect(edited.body.pending).toEqual(['firstName', 'Ort'])
      await way(listId)
      const left = (await api.call('GET', path, { key })).body
      expect(left).toMatchObject({ pending: ['firstName'], version: edited.body.version + 1, fields: { Ort: 'Köln' } })
      expect((await columnsOf(listId)).find(({ name }) => name === 'Ort')).toMatchObject({ leadField: null })
      const [row] = await api.db
        .$client`select uncompared_at as at from columns where list_id = ${listId} and key = 'c8'`
      expect(row!['at']).toBeNull()
    }
  })

  test('somebody who renames a column waits for a save before taking the column', async () => {
    await put({ version: 0, items: [city] })
    const listId = await newList('Renamed', 'Hobby')
    const [renamed] = await api.db.transaction(async (tx) => {
      await lockFields(tx, account.id, 'alone')
      const answer = patch(listId, 'Hobby', { name: 'Town' })
      await until('the other one waits', async () => {
        const [waiting] = await api.db.$client`
          select from pg_locks l join pg_database d on d.oid = l.database
          where d.datname = current_database() and l.locktype = 'advisory' and not l.granted`
        return waiting
      })
      await tx.update(t.columns).set({ standardFieldSaid: true }).where(eq(t.columns.listId, listId))
      return [answer]
    })
    expect((await renamed!).body).toMatchObject({ name: 'Town', standardField: null })
  })

  test('a bound column is not, and its CRM field is nobody else’s', async () => {
    await put({ version: 0, items: [city] })
    const columns = { c8: ['City', 'text', 'Address/City'], c9: ['Ort', 'text'] } as const
    const listId = await addList(api.db, account.id, { connectionId, columns: columns as never })
    await put({ version: 1, items: (await read()).items })
    expect(await meaning(listId)).toEqual({ City: null, Ort: 'Business City' })
    expect((await columnsOf(listId)).slice(3)).toMatchObject([
      { leadField: 'Address/City', contactField: 'Address/City' },
      { leadField: null, contactField: null },
    ])
    const states = (await read()).columns.map(({ state }: { state: string }) => state)
    expect(states).toEqual(['mapped', 'fieldTaken'])
  })

  test('what is mapped and what is not is shown for all lists, page by page', async () => {
    await put({ version: 0, items: [city, { name: 'Hobby' }] })
    await newList('One', 'Ort', 'PLZ')
    await newList('Two', 'Hobby', 'Colour')
    const items = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: { columns: { column: { name: string }; state: string }[]; nextCursor: string | null } = await read(
        `?limit=1${cursor && `&cursor=${cursor}`}`,
      )
      items.push(...page.columns.map(({ column, state }) => [column.name, state]))
      cursor = page.nextCursor
    }
    expect(Object.fromEntries(items)).toEqual({
      Ort: 'mapped',
      PLZ: 'addressNotMapped',
      Hobby: 'byName',
      Colour: 'unmapped',
    })
  })
})

describe('A2: Optimize for Infor CRM', () => {
  test('proposes what lead and contact have, stores nothing, and is saved by one PUT', async () => {
    await put({ version: 0, items: [{ name: 'Ort' }] })
    const proposal = await optimize()
    expect(proposal.body).toMatchObject({
      version: 1,
      items: [
        { name: 'Ort', systemUsage: 'businessCity', proposal: 'completed' },
        { id: null, name: 'Business Street', proposal: 'added' },
        { name: 'Business Zip', aliases: expect.arrayContaining(['PLZ']), proposal: 'added' },
      ],
      notCovered: [{ entity: 'lead', field: 'Address/CRegion', custom: false }],
    })
    expect(await read()).toMatchObject({ version: 1, items: [{ name: 'Ort', systemUsage: null }] })
    const listId = await newList('Fair', 'Stadt', 'PLZ', 'Straße')
    const saved = await put(proposal.body)
    expect(saved.body).toMatchObject({ version: 2, items: [{ name: 'Ort' }, {}, {}] })
    expect(await meaning(listId)).toEqual({ Stadt: 'Ort', PLZ: 'Business Zip', Straße: 'Business Street' })
    const again = await optimize()
    expect(again.body.items.map((item: { proposal: string }) => item.proposal)).toEqual(['kept', 'kept', 'kept'])
  })

  test('asks the CRM when its fields are not known, and says so when none is connected', async () => {
    await api.db.delete(t.crmFields).where(eq(t.crmFields.accountId, account.id))
    expect((await optimize()).body).toMatchObject({ code: 'crmTimeout' })
    const [asked] = await api.db.select().from(t.outbox).where(eq(t.outbox.accountId, account.id))
    expect(asked).toMatchObject({ name: 'readFields', input: { entity: 'lead' } })
    const nobody = await api.call('POST', '/v1/standard-fields/optimize', { key: api.stranger.keys.admin })
    expect(nobody.body).toMatchObject({ status: 409, code: 'notConnected' })
  })
})

test('A3: sync settings warn of an address that is not pushed, as long as something is pushed', async () => {
  const columns = { c8: ['Ort', 'text'], c9: ['Hobby', 'text'] } as const
  const listId = await addList(api.db, account.id, { connectionId, columns: columns as never })
  const push = { enabled: true, addNew: false, updateExisting: true, fields: ['Ort'] }
  const pull = { enabled: true, addNew: true, updateExisting: true }
  const save = async (version: number, more = {}) =>
    (
      await api.call('PUT', `/v1/lists/${listId}/sync`, {
        key: account.keys.marketer,
        body: { version, push: { ...push, ...more }, pull },
      })
    ).body.warnings
  expect(await save(0)).toEqual([
    { code: 'addressNotMapped', field: 'Ort', message: expect.stringContaining('standard fields') },
  ])
  expect(await save(1, { enabled: false })).toEqual([])
  await put({ version: 0, items: [city] })
  expect(await save(2)).toEqual([])
})

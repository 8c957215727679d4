import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as settings from '../../src/db/sync/settings.ts'
import * as t from '../../src/db/schema.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addConnection, addList, crmFields, defaultFolder, field } from './rows.ts'

let api: TestApi
let account: Account
let connectionId: string
let listId: string

const leadFields = [...crmFields, field('Company'), { ...field('CScore', 'number'), custom: true }]
const contactFields = [...crmFields, field('Department'), field('AccountName')]

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const connect = async () => {
  account = await api.newAccount()
  connectionId = await addConnection(api.db, account.id)
  for (const [entity, fields] of [
    ['lead', leadFields],
    ['contact', contactFields],
  ] as const)
    await api.db.$client`
      update crm_fields set fields = ${JSON.stringify(fields)}::text::jsonb where connection_id = ${connectionId} and entity = ${entity}`
}

beforeEach(async () => {
  await connect()
  listId = await addList(api.db, account.id, {
    connectionId,
    columns: {
      c4: ['Created', 'instant', 'CreateDate'],
      c8: ['Job', 'text', 'Title'],
      c9: ['Phone', 'phone', 'WorkPhone'],
    },
  })
  await api.db.update(t.columns).set({ system: true }).where(eq(t.columns.key, 'c4'))
})

const addPlain = async (): Promise<string> => {
  const folderId = await defaultFolder(api.db, account.id)
  const [list] = await api.db
    .insert(t.lists)
    .values({ accountId: account.id, folderId, name: 'Fair', kind: 'plain' })
    .returning()
  await api.db.insert(t.columns).values(
    (
      [
        ['c1', 'E-mail', 'email'],
        ['c2', 'First name', 'text'],
        ['c3', 'Last name', 'text'],
        ['c8', 'Hobby', 'text'],
      ] as const
    ).map(([key, name, type], position) => ({
      accountId: account.id,
      listId: list!.id,
      key,
      name,
      type,
      position,
      locked: position < 3,
    })),
  )
  return list!.id
}

const usual = {
  push: { enabled: false, addNew: false, updateExisting: false, fields: [], clearFields: [], newLeadDefaults: {} },
  pull: { enabled: true, addNew: true, updateExisting: true, excludedFields: [] },
}
const noPull = { enabled: false, addNew: false, updateExisting: false, excludedFields: [] }

type Body = { version: number; push?: object; pull?: object; [more: string]: unknown }
const put = ({ version, push, pull, ...more }: Body, id = listId, key = account.keys.marketer) =>
  api.call('PUT', `/v1/lists/${id}/sync`, {
    key,
    body: { version, push: { ...usual.push, ...push }, pull: { ...usual.pull, ...pull }, ...more },
  })
const read = async (id = listId) => (await api.call('GET', `/v1/lists/${id}/sync`, { key: account.keys.viewer })).body
const columnsOf = async (id = listId) =>
  (await api.call('GET', `/v1/lists/${id}/columns`, { key: account.keys.viewer })).body.items
const widenedAt = async (id = listId): Promise<Date | null> => {
  const [list] = await api.db.select().from(t.lists).where(eq(t.lists.id, id))
  return list!.widenedAt
}
const settle = () => api.db.update(t.lists).set({ widenedAt: null }).where(eq(t.lists.id, listId))

describe('the sync settings of a list', () => {
  test('S2, S4: until they are saved nothing is pushed, everything is pulled, and the version is 0', async () => {
    expect(await read()).toEqual({ version: 0, ...usual, addColumns: [], schedule: null, warnings: [] })
  })

  test('are saved as a whole and shown by the names of the columns', async () => {
    const push = {
      enabled: true,
      addNew: true,
      updateExisting: true,
      fields: ['title', 'phone', 'EMAIL'],
      clearFields: ['workphone'],
      newLeadDefaults: { company: 'None', leadsource: 'Web', CScore: 2.5 },
    }
    const pull = { enabled: true, addNew: false, updateExisting: true, excludedFields: ['job', 'lastName'] }
    const saved = await put({ version: 0, push, pull })
    expect(saved).toMatchObject({
      status: 200,
      body: {
        version: 1,
        push: {
          ...push,
          fields: ['Title', 'WorkPhone', 'Email'],
          clearFields: ['WorkPhone'],
          newLeadDefaults: { Company: 'None', LeadSource: 'Web', CScore: 2.5 },
        },
        pull: { ...pull, excludedFields: ['Title', 'LastName'] },
      },
    })
    expect(await read()).toEqual(saved.body)
    expect(await settings.get(api.db, account.id, listId)).toMatchObject({
      version: 1,
      push: { fields: ['c8', 'c9', 'c1'], clearFields: ['c9'] },
      pull: { excludedFields: ['c8', 'c3'] },
    })
  })

  test('what was read can be sent back, and what is left out is not set', async () => {
    await put({ version: 0, push: { enabled: true, updateExisting: true, fields: ['Title'] } })
    const before = await read()
    const again = await api.call('PUT', `/v1/lists/${listId}/sync`, { key: account.keys.marketer, body: before })
    expect(again.body).toEqual({ ...before, version: 2 })
    const { fields: _fields, clearFields: _clear, newLeadDefaults: _defaults, ...push } = usual.push
    const body = { version: 2, push, pull: { enabled: true, addNew: true, updateExisting: true } }
    const bare = await api.call('PUT', `/v1/lists/${listId}/sync`, { key: account.keys.marketer, body })
    expect(bare.body).toMatchObject({ version: 3, ...usual })
  })

  test('S6: a save from another version answers 409 with the current one, and changes nothing', async () => {
    await put({ version: 0, push: { enabled: true } })
    for (const version of [0, 2, 7]) {
      const answer = await put({ version, pull: { enabled: false }, addColumns: ['Address/City'] })
      expect(answer.body).toMatchObject({ status: 409, code: 'conflict', version: 1 })
      expect(answer.body.detail).toContain('version 1')
    }
    expect(await read()).toMatchObject({ version: 1, push: { enabled: true }, pull: { enabled: true } })
    expect(await columnsOf()).toHaveLength(6)
  })

  test('S6: of two saves at once one is stored', async () => {
    for (let version = 0; version < 5; version += 1) {
      const answers = await Promise.all([
        put({ version, pull: { excludedFields: ['Title'] } }),
        put({ version, pull: { excludedFields: ['WorkPhone'] } }),
      ])
      expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409])
      const stored = answers.find(({ status }) => status === 200)!.body
      expect((await read()).pull).toEqual(stored.pull)
    }
  })

  test.for([
    [{ push: { fields: ['Nothing'] } }, 'unknownColumn', 'push.fields[0]'],
    [{ push: { fields: ['CreateDate'] } }, 'fieldReadOnly', 'push.fields[0]'],
    [{ push: { clearFields: ['Title'] } }, 'invalidInput', 'push.clearFields[0]'],
    [{ push: { newLeadDefaults: { Department: 'x' } } }, 'unknownField', 'push.newLeadDefaults.Department'],
    [{ push: { newLeadDefaults: { CScore: 'x' } } }, 'invalidInput', 'push.newLeadDefaults.CScore'],
    [{ push: { newLeadDefaults: { Company: null } } }, 'invalidInput', 'push.newLeadDefaults.Company'],
    [{ push: { newLeadDefaults: { Company: 'x'.repeat(2001) } } }, 'invalidInput', 'push.newLeadDefaults.Company'],
    [{ push: { fields: Array.from({ length: 1001 }, (_, n) => `F${n}`) } }, 'invalidInput', 'push.fields'],
    [{ push: { surprise: true } }, 'invalidInput', 'push.surprise'],
    [{ push: { enabled: 'yes' } }, 'invalidInput', 'push.enabled'],
    [{ pull: { excludedFields: ['CreateDate'] } }, 'invalidInput', 'pull.excludedFields[0]'],
    [{ schedule: { frequency: 'daily' } }, 'invalidInput', 'schedule.time'],
    [{ version: -1 }, 'invalidInput', 'version'],
    [{ addColumns: ['Nothing'] }, 'unknownField', 'addColumns[0]'],
    [{ addColumns: ['Address/City', { crmField: 'address/city' }] }, 'duplicateField', 'addColumns[1]'],
    [{ addColumns: ['Title'] }, 'duplicateField', 'addColumns[0]'],
    [{ addColumns: ['UserPassword'] }, 'secretField', 'addColumns[0]'],
  ] as const)('%j is refused with its place, and nothing is stored', async ([body, code, path]) => {
    const answer = await put({ version: 0, addColumns: ['Address/City'], ...body } as Body)
    expect(answer.body).toMatchObject({ status: 422, code, errors: [{ path }] })
    expect(answer.body.detail.length).toBeGreaterThan(10)
    expect(await read()).toMatchObject({ version: 0, ...usual })
    expect(await columnsOf()).toHaveLength(6)
    expect(await widenedAt()).toBeNull()
  })

  test('what is risky is stored and said', async () => {
    const contacts = await addList(api.db, account.id, {
      connectionId,
      entity: 'contact',
      name: 'Contacts',
      columns: {
        c8: ['Department', 'text', 'Department'],
        c9: ['Company', 'text', 'AccountName'],
        c10: ['Gone', 'text', 'Gone'],
      },
    })
    const answer = await put({ version: 0, push: { enabled: true, addNew: true } }, contacts)
    expect(answer.body.warnings).toEqual([
      { code: 'noFieldOnLead', field: 'Department', message: expect.stringMatching(/Department.*\.$/) },
      { code: 'fieldMissing', field: 'Gone', message: expect.stringMatching(/^Gone no longer .*\.$/) },
    ])
    expect((await read(contacts)).warnings).toEqual(answer.body.warnings)
  })

  test('a viewer reads them, and only a marketer saves them', async () => {
    expect((await put({ version: 0 }, listId, account.keys.viewer)).body.code).toBe('forbidden')
  })

  test('a save is written down: what changed by name, no values', async () => {
    const push = { enabled: true, addNew: true, newLeadDefaults: { Company: 'Sekret' } }
    await put({ version: 0, push, pull: { excludedFields: ['Title'] }, addColumns: ['Address/City'] })
    const [noted] = await api.db.select().from(t.audit).where(eq(t.audit.targetId, listId))
    expect(noted).toMatchObject({
      action: 'sync.update',
      details: {
        version: 1,
        changed: ['push.enabled', 'push.addNew', 'push.newLeadDefaults', 'pull.excludedFields', 'addColumns'],
      },
    })
    expect(JSON.stringify(noted)).not.toContain('Sekret')
  })

  test('a list whose CRM is not the connected one can still be switched off', async () => {
    await put({ version: 0, push: { enabled: true, addNew: true, newLeadDefaults: { Company: 'None' } } })
    await api.db.update(t.connections).set({ active: false }).where(eq(t.connections.id, connectionId))
    await addConnection(api.db, account.id)
    const { push, pull } = await read()
    expect((await put({ version: 1, push, pull, addColumns: ['Address/City'] })).body.code).toBe('notConnected')
    expect((await put({ version: 1, push: { ...push, enabled: false }, pull: noPull })).body).toMatchObject({
      version: 2,
    })
  })
})

describe('S5: columns that are added with the settings', () => {
  test('are there at once and may be named in the same save', async () => {
    const answer = await put({
      version: 0,
      push: { enabled: true, updateExisting: true, fields: ['Company', 'Title'] },
      pull: { excludedFields: ['CScore'] },
      addColumns: ['company', { crmField: 'cscore' }],
    })
    expect(answer.body).toMatchObject({
      addColumns: [],
      push: { fields: ['Company', 'Title'] },
      pull: { excludedFields: ['CScore'] },
    })
    expect((await columnsOf()).slice(-2)).toMatchObject([
      { key: 'c10', name: 'Company', crmField: 'Company', type: 'text', maxLength: 64, custom: false, position: 6 },
      { key: 'c11', name: 'CScore', crmField: 'CScore', type: 'number', custom: true, position: 7 },
    ])
  })

  test('a field that Fairlead reads for itself becomes a column like any other, and keeps its key', async () => {
    await put({ version: 0, addColumns: ['CreateDate'] })
    expect((await columnsOf()).find(({ key }: { key: string }) => key === 'c4')).toMatchObject({ system: false })
    expect(await columnsOf()).toHaveLength(6)
  })
})

describe('R14: pulling more than before is remembered for the next sync', () => {
  const pulled = [
    ['nothing new', {}, {}, false],
    ['pull switched on', { enabled: false }, { enabled: true }, true],
    ['add-new switched on', { addNew: false }, { addNew: true }, true],
    ['update-existing switched on', { updateExisting: false }, { updateExisting: true }, true],
    ['a field ticked again', { excludedFields: ['Title'] }, {}, true],
    ['a field unticked', {}, { excludedFields: ['Title'] }, false],
    ['everything switched off', {}, noPull, false],
  ] as const

  test.for(pulled)('%s', async ([, before, after, widened]) => {
    await put({ version: 0, pull: before })
    await settle()
    await put({ version: 1, pull: after })
    expect((await widenedAt()) !== null).toBe(widened)
  })

  test('a column that is added widens, in the same transaction; what is pushed does not', async () => {
    await put({ version: 0, push: { enabled: true, addNew: true, updateExisting: true, fields: ['Title'] } })
    expect(await widenedAt()).toBeNull()
    await put({ version: 1, addColumns: ['Company'] })
    expect(await widenedAt()).not.toBeNull()
  })

  test('each widening is later than the one before', async () => {
    await put({ version: 0, addColumns: ['Company'] })
    const first = await widenedAt()
    await put({ version: 1, addColumns: ['CScore'] })
    expect((await widenedAt())!.getTime()).toBeGreaterThan(first!.getTime())
  })
})

describe('a plain list', () => {
  test('pulls nothing, and cannot be made to', async () => {
    const plain = await addPlain()
    expect(await read(plain)).toMatchObject({ version: 0, push: usual.push, pull: noPull })
    const refused = await put({ version: 0 }, plain)
    expect(refused.body).toMatchObject({ status: 422, code: 'pullNotPossible', errors: [{ path: 'pull.enabled' }] })
    const added = await put({ version: 0, pull: noPull, addColumns: ['Title'] }, plain)
    expect(added.body).toMatchObject({ status: 422, code: 'pullNotPossible', errors: [{ path: 'addColumns[0]' }] })
  })

  test('may say what it pushes', async () => {
    const plain = await addPlain()
    const push = { enabled: true, addNew: true, updateExisting: true, fields: ['LastName', 'hobby'] }
    const saved = await put({ version: 0, push, pull: noPull }, plain)
    expect(saved.body).toMatchObject({ version: 1, push: { fields: ['LastName', 'Hobby'] }, pull: noPull })
    expect(saved.body.warnings.map(({ code, field }: { code: string; field: string }) => `${code} ${field}`)).toContain(
      'noFieldOnLead Hobby',
    )
    expect(await widenedAt(plain)).toBeNull()
  })
})

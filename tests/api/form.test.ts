import { and, desc, eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCsvReader } from '../../src/csv/read.ts'
import { operator } from '../../src/db/audit.ts'
import * as forms from '../../src/db/form.ts'
import * as t from '../../src/db/schema.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addConnection, crmFields, field } from './rows.ts'

let api: TestApi
let account: Account
let connectionId: string

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const leadFields = [...crmFields, field('Company'), { ...field('LeadGrade'), required: true }]
beforeEach(async () => {
  account = await api.newAccount()
  connectionId = await addConnection(api.db, account.id)
  await api.db
    .update(t.crmFields)
    .set({ fields: leadFields })
    .where(and(eq(t.crmFields.connectionId, connectionId), eq(t.crmFields.entity, 'lead')))
})

type Body = Record<string, unknown>
const call = (
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: Body,
  headers?: Record<string, string>,
) => api.call(method, `/v1${path}`, { key: account.keys.marketer, ...(body && { body }), ...(headers && { headers }) })

const email = { name: 'email', type: 'email', label: 'E-mail' }
const fields = [
  email,
  { name: 'lastName', type: 'text', label: 'Last name', required: true },
  { name: 'company', type: 'text', label: 'Company' },
  { name: 'hobby', type: 'text', label: 'Hobby' },
  { name: 'campaign', type: 'hidden', hidden: { value: 'spring' }, column: null },
]
const right = { email: 'Pat@Example.com', lastName: 'Miller' }
const made = async (more: Body = {}) => {
  const body = { name: 'Fair', list: { name: 'Fair people' }, push: true, fields, ...more }
  const answer = await call('POST', '/forms', body)
  expect(answer.status, answer.text).toBe(201)
  return answer.body
}
const submit = (formId: string, answers: Body, more: Body = {}, headers?: Record<string, string>) =>
  call('POST', `/forms/${formId}/submissions`, { answers, ...more }, headers)
const outbox = () => api.db.select().from(t.outbox).where(eq(t.outbox.accountId, account.id)).orderBy(desc(t.outbox.id))
const settle = (id: string, values: Partial<typeof t.submissions.$inferInsert>) =>
  api.db.update(t.submissions).set(values).where(eq(t.submissions.id, id))

const readCsv = (text: string): string[][] => {
  const reader = createCsvReader(',', { chunk: 0, offset: 0, line: 1 })
  reader.push(0, text, true)
  const rows: string[][] = []
  for (let row = reader.next(); row !== undefined; row = reader.next()) rows.push(row.cells)
  return rows
}

describe('F1: a form', () => {
  test('is made with its list and the columns that its fields need, and says what reaches nothing', async () => {
    const standard = { version: 0, items: [{ name: 'Company', aliases: [], systemUsage: 'company' }] }
    await api.call('PUT', '/v1/standard-fields', { key: account.keys.admin, body: standard })
    const form = await made()
    expect(form).toMatchObject({
      name: 'Fair',
      state: 'open',
      version: 1,
      list: { name: 'Fair people', removed: false },
      url: expect.stringMatching(/^\/f\/[\w-]{24}$/),
      submissions: { received: 0, rejected: 0 },
    })
    expect(form.embed).toContain(form.url)
    expect(form.fields.map(({ column }: { column: string }) => column)).toEqual([
      'Email',
      'LastName',
      'Company',
      'Hobby',
      null,
    ])
    expect(form.warnings.map(({ code, field: name }: Body) => [code, name])).toEqual([
      ['notMapped', 'hobby'],
      ['notMapped', 'campaign'],
      ['requiredMissing', 'LeadGrade'],
    ])
    const items = (await call('GET', `/lists/${form.list.id}/columns`)).body.items as Body[]
    expect(items.slice(3)).toMatchObject([{ name: 'Company', leadField: 'Company' }, { name: 'Hobby' }])
    expect((await call('GET', '/forms')).body.items).toMatchObject([{ id: form.id, url: form.url }])
    const given = await call('PATCH', `/forms/${form.id}`, { version: 1, newLeadDefaults: { leadgrade: 'A' } })
    expect(given.body).toMatchObject({ version: 2, newLeadDefaults: { LeadGrade: 'A' } })
    expect(given.body.warnings).toHaveLength(2)
  })

  test('fills a list that is there; what is wrong is named by its place, and nothing is stored', async () => {
    const { list } = await made()
    const second = await made({ name: 'Second', list: { id: list.id }, push: false })
    expect(second.list.id).toBe(list.id)
    const wrong = await call('POST', '/forms', {
      name: 'Third',
      list: { name: 'Nobody' },
      push: true,
      fields: [{ name: 'x', type: 'number', column: 'New' }],
      thanks: { redirect: 'ftp://x' },
    })
    expect(wrong.body).toMatchObject({ code: 'invalidInput' })
    expect(wrong.body.errors.map(({ path }: Body) => path)).toEqual(['thanks.redirect', 'fields'])
    const strange = await call('POST', '/forms', { name: 'X', list: { id: list.id }, fields: [{ ...email, odd: 1 }] })
    expect(strange.body).toMatchObject({ code: 'invalidInput' })
    const unknown = await call('PATCH', `/forms/${second.id}`, { version: 1, newLeadDefaults: { Nothing: 1 } })
    expect(unknown.body).toMatchObject({ code: 'unknownField', errors: [{ path: 'newLeadDefaults.Nothing' }] })
    expect((await call('POST', '/forms', { name: 'FAIR', list: { id: list.id }, fields: [email] })).body.code).toBe(
      'nameTaken',
    )
    const names = (await call('GET', '/lists')).body.items.map(({ name }: Body) => name)
    expect(names).toEqual(['Fair people'])
  })

  test('can be sent back as it was read; a change makes a version, one from an older version is refused', async () => {
    const form = await made()
    const { fields: read, policy, languages, title, thanks, allowedOrigins, newLeadDefaults, push, name } = form
    const same = { fields: read, policy, languages, title, thanks, allowedOrigins, newLeadDefaults, push, name }
    expect((await call('PATCH', `/forms/${form.id}`, { version: 1, ...same })).body).toEqual(form)
    const next = await call('PATCH', `/forms/${form.id}`, { version: 1, policy: 'blanksOnly', state: 'closed' })
    expect(next.body).toMatchObject({ version: 2, policy: 'blanksOnly', state: 'closed', fields: read })
    const late = await call('PATCH', `/forms/${form.id}`, { version: 1, policy: 'createOnly' })
    expect(late.body).toMatchObject({ status: 409, code: 'conflict', version: 2 })
    const audit = await api.call('GET', '/v1/audit', { key: account.keys.admin })
    expect(audit.body.items.map(({ action }: Body) => action).slice(0, 2)).toEqual(['form.update', 'form.create'])
  })

  test('pushes from now on once somebody says so: the address must then be answered', async () => {
    const form = await made({ push: false })
    expect(form.fields[0]).toMatchObject({ name: 'email', required: false })
    const pushing = await call('PATCH', `/forms/${form.id}`, { version: 1, push: true })
    expect(pushing.status, pushing.text).toBe(200)
    expect(pushing.body.fields[0]).toMatchObject({ name: 'email', required: true })
    const optional = { version: 2, fields: [{ ...email, required: false }] }
    expect((await call('PATCH', `/forms/${form.id}`, optional)).status).toBe(422)
  })

  test('can be closed whatever has become of the CRM’s picklist meanwhile', async () => {
    const industry = { ...field('Industry'), picklist: 'Industry' }
    await api.db
      .update(t.crmFields)
      .set({ fields: [...leadFields, industry] })
      .where(and(eq(t.crmFields.connectionId, connectionId), eq(t.crmFields.entity, 'lead')))
    const of = { accountId: account.id, connectionId, entity: 'lead' as const, field: 'Industry' }
    await api.db.insert(t.crmPicklists).values({ ...of, items: ['Steel', 'Paper'] })
    const choice = { name: 'industry', type: 'choice', picklist: { entity: 'lead', field: 'Industry' } }
    const form = await forms.insert(
      api.db,
      account.id,
      { name: 'Trade', list: { name: 'Trade' }, fields: [email, choice] } as Parameters<typeof forms.insert>[2],
      operator,
    )
    await api.db.update(t.crmPicklists).set({ items: [] }).where(eq(t.crmPicklists.connectionId, connectionId))
    const closed = await call('PATCH', `/forms/${form.id}`, { version: 1, state: 'closed' })
    expect(closed.status, closed.text).toBe(200)
    expect(closed.body).toMatchObject({ state: 'closed', version: 2 })
    expect(closed.body.fields[1].choices).toHaveLength(2)
  })

  test('of two changes at once one is stored', async () => {
    const { id } = await made()
    const answers = await Promise.all(
      ['blanksOnly', 'createOnly'].map((policy) => call('PATCH', `/forms/${id}`, { version: 1, policy })),
    )
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409])
  })

  test('that is closed or removed takes nothing; one whose list is removed is closed', async () => {
    const form = await made()
    await call('DELETE', `/lists/${form.list.id}`)
    expect((await call('GET', `/forms/${form.id}`)).body).toMatchObject({ state: 'closed', list: { removed: true } })
    expect((await submit(form.id, right)).body).toMatchObject({ status: 409, code: 'formClosed' })
    const open = await call('PATCH', `/forms/${form.id}`, { version: 1, state: 'open' })
    expect(open.body).toMatchObject({ code: 'formClosed' })
    expect((await call('DELETE', `/forms/${form.id}`)).status).toBe(204)
    expect((await submit(form.id, right)).body).toMatchObject({ status: 410, code: 'formRemoved' })
    expect((await call('GET', `/forms/${form.id}`)).status).toBe(404)
    expect((await call('GET', `/forms/${form.id}/submissions`)).body.items).toEqual([])
  })

  test('keeps answers with the submission when their column is removed, and the removal says so', async () => {
    const form = await made()
    const columns = (await call('GET', `/lists/${form.list.id}/columns`)).body.items as { id: string; name: string }[]
    const { id } = columns.find(({ name }) => name === 'Hobby')!
    const removed = await call('DELETE', `/lists/${form.list.id}/columns/${id}`)
    expect(removed.body.forms).toEqual([{ id: form.id, name: 'Fair' }])
    const read = (await call('GET', `/forms/${form.id}`)).body
    expect(read.fields[3]).toMatchObject({ name: 'hobby', column: null })
    expect((await submit(form.id, { ...right, hobby: 'Chess' })).body.answers).toMatchObject({ hobby: 'Chess' })
    // an edit of something else does not bring the column back
    await call('PATCH', `/forms/${form.id}`, { version: 1, policy: 'createOnly' })
    expect((await call('GET', `/lists/${form.list.id}/columns`)).body.items).toHaveLength(columns.length - 1)
  })
})

describe('F2, F3: a submission by a program', () => {
  test('is stored with what wakes the drainer, by the version of the form, and keeps it when the form changes', async () => {
    const form = await made({ languages: ['en', 'de'] })
    const sent = await submit(form.id, { ...right, company: '' }, { language: 'de-CH' })
    expect(sent).toMatchObject({
      status: 202,
      headers: { location: `/v1/submissions/${sent.body.id}` },
      body: {
        formId: form.id,
        version: 1,
        state: 'received',
        answers: { ...right, company: '', campaign: 'spring' },
        language: 'de',
        by: { name: 'marketer' },
      },
    })
    const [message] = await outbox()
    expect(message).toMatchObject({
      kind: 'wake',
      name: 'drainForms',
      workflowId: `forms:${connectionId}`,
      input: { accountId: account.id, connectionId },
    })
    await call('PATCH', `/forms/${form.id}`, { version: 1, push: false, fields: [email] })
    const later = await submit(form.id, { email: 'pat@example.com' })
    expect(later.body).toMatchObject({ version: 2 })
    expect((await outbox())[0]).toMatchObject({ workflowId: `forms:${account.id}`, input: { accountId: account.id } })
    const { items } = (await call('GET', `/forms/${form.id}/submissions`)).body
    expect(items.map(({ id, version }: Body) => [id, version])).toEqual([
      [later.body.id, 2],
      [sent.body.id, 1],
    ])
    const rows = await api.db.select().from(t.submissions).where(eq(t.submissions.formId, form.id))
    // R2: in any case it is one address
    expect(rows[0]!.emailKey).toEqual(rows[1]!.emailKey)
  })

  test('that is wrong or empty is refused with every place, and the people stay out of what is said', async () => {
    const form = await made()
    const wrong = await submit(form.id, { email: 'nobody', lastName: 'x'.repeat(1001), odd: 'y' })
    expect(wrong.body).toMatchObject({
      code: 'invalidInput',
      errors: [
        { path: 'answers.email', code: 'notEmail' },
        { path: 'answers.lastName', code: 'tooLong' },
        { path: 'answers.odd', code: 'unknownField' },
      ],
    })
    expect(wrong.text).not.toContain('nobody')
    expect((await submit(form.id, {})).body).toMatchObject({ status: 422, code: 'emptySubmission' })
    expect((await submit(form.id, { ...right, hobby: 'x'.repeat(300_000) })).body.code).toBe('bodyTooLarge')
    expect(api.logged.join('')).not.toContain('nobody')
  })

  test('is taken once per Idempotency-Key', async () => {
    const form = await made()
    const headers = { 'idempotency-key': 'one' }
    const [first, second] = await Promise.all([
      submit(form.id, right, {}, headers),
      submit(form.id, right, {}, headers),
    ])
    expect(first!.body.id).toBe(second!.body.id)
    expect((await submit(form.id, { ...right, hobby: 'x' }, {}, headers)).body.code).toBe('idempotencyMismatch')
    const [kept] = await api.db.select().from(t.idempotency).where(eq(t.idempotency.accountId, account.id))
    expect(kept!.body).toEqual({ id: first!.body.id })
  })

  test('with an Idempotency-Key waits for no work of its account', async () => {
    const form = await made()
    await api.db.transaction(async (tx) => {
      // as a page of an import holds it while it is written
      await tx.select({ id: t.accounts.id }).from(t.accounts).where(eq(t.accounts.id, account.id)).for('key share')
      const sent = () => submit(form.id, right, {}, { 'idempotency-key': 'busy' })
      const [first, second] = await Promise.all([sent(), sent()])
      expect([first.status, second.status, second.body.id]).toEqual([202, 202, first.body.id])
    })
  })

  test('that was rejected is tried again by hand or with all of its cause; others are not', async () => {
    const form = await made()
    const ids: string[] = []
    for (const hobby of ['a', 'b', 'c', 'd']) ids.push((await submit(form.id, { ...right, hobby })).body.id)
    const rejected = { state: 'rejected' as const, tries: 5, settledAt: new Date() }
    for (const id of ids.slice(0, 3)) await settle(id, { ...rejected, code: 'requiredMissing' })
    await settle(ids[3]!, { ...rejected, code: 'crmRefused', crm: { message: 'No.' } })
    const shown = (await call('GET', `/submissions/${ids[3]}`)).body
    expect(shown).toMatchObject({ state: 'rejected', code: 'crmRefused', said: { message: 'No.' } })
    expect(shown.remedy).toMatch(/CRM/)
    const { items } = (await call('GET', `/forms/${form.id}/submissions?state=rejected&code=requiredMissing&limit=2`))
      .body
    expect(items).toHaveLength(2)

    const one = await call('POST', `/submissions/${ids[3]}/retry`)
    expect(one).toMatchObject({ status: 202, body: { state: 'received', code: null, said: null, tries: 0 } })
    expect((await call('POST', `/submissions/${ids[3]}/retry`)).body.code).toBe('notRetryable')
    const before = (await outbox()).length
    const all = await call('POST', `/forms/${form.id}/retry`, { code: 'requiredMissing' })
    expect(all).toMatchObject({ status: 202, body: { retried: 3 } })
    expect((await outbox()).length).toBe(before + 1)
    expect((await call('GET', `/forms/${form.id}`)).body.submissions).toMatchObject({ received: 4, rejected: 0 })
  })

  test('comes as CSV with the answers in the order of the form, and no cell starts a formula', async () => {
    const form = await made()
    const first = await submit(form.id, { ...right, hobby: '=cmd|/c calc', company: 'A, "B"\nC' })
    await call('PATCH', `/forms/${form.id}`, {
      version: 1,
      fields: [{ name: 'likes', type: 'choices', choices: ['tea', 'cake'], column: null }, ...fields.slice(0, 2)],
    })
    const second = await submit(form.id, { ...right, likes: ['cake', 'tea'] })
    const answer = await call('GET', `/forms/${form.id}/submissions.csv?bom=false`)
    expect(answer.headers).toMatchObject({ 'content-type': 'text/csv; charset=utf-8' })
    expect(answer.text).toContain(`'=cmd`)
    const { receivedAt } = first.body
    expect(readCsv(answer.text)).toEqual([
      ['id', 'receivedAt', 'state', 'code', 'likes', 'email', 'lastName', 'company', 'hobby', 'campaign'],
      [first.body.id, receivedAt, 'received', '', '', right.email, 'Miller', 'A, "B" C', '=cmd|/c calc', 'spring'],
      [second.body.id, second.body.receivedAt, 'received', '', 'tea; cake', right.email, 'Miller', '', '', ''],
    ])
  })

  test('of a form whose field is named as a property of every object has nothing there that nobody said', async () => {
    const form = await made({ fields: [email, { name: 'constructor', type: 'text', label: 'Builder' }] })
    await submit(form.id, { email: 'pat@example.com' })
    const { text } = await call('GET', `/forms/${form.id}/submissions.csv?bom=false`)
    expect(readCsv(text)[1]!.slice(3)).toEqual(['', 'pat@example.com', ''])
  })

  test('stands in the timeline of its record with what became of it', async () => {
    const form = await made()
    const record = await call('POST', `/lists/${form.list.id}/records`, { email: 'pat@example.com' })
    const sent = await submit(form.id, right)
    const results = [{ entity: 'lead' as const, id: 'Q1', kind: 'updated' as const, fields: ['LastName'] }]
    const warnings = [{ code: 'addressNotMapped', field: 'town' }]
    await settle(sent.body.id, { state: 'pushed', recordId: record.body.id, results, warnings })
    const path = `/lists/${form.list.id}/records/${record.body.id}/timeline`
    const { items } = (await call('GET', path)).body
    expect(items.map(({ kind }: Body) => kind)).toEqual(['filledIn', 'created'])
    expect(items[0]).toMatchObject({
      code: null,
      by: { name: 'marketer' },
      submission: { id: sent.body.id, form: { id: form.id, name: 'Fair' }, state: 'pushed', results },
      warnings: [{ code: 'addressNotMapped', field: 'town' }],
    })
  })

  test('R36: another account sees nothing of it, a viewer submits nothing', async () => {
    const form = await made()
    const { id } = (await submit(form.id, right)).body
    const key = api.stranger.keys.admin
    for (const [method, path] of [
      ['GET', `/v1/forms/${form.id}`],
      ['DELETE', `/v1/forms/${form.id}`],
      ['GET', `/v1/forms/${form.id}/submissions`],
      ['GET', `/v1/forms/${form.id}/submissions.csv`],
      ['GET', `/v1/submissions/${id}`],
      ['POST', `/v1/submissions/${id}/retry`],
    ] as const)
      expect((await api.call(method, path, { key })).status, path).toBe(404)
    const sent = await api.call('POST', `/v1/forms/${form.id}/submissions`, { key, body: { answers: right } })
    expect(sent.status).toBe(404)
    const body = { name: 'Mine', list: { id: form.list.id }, fields: [email] }
    expect((await api.call('POST', '/v1/forms', { key, body })).status).toBe(404)
    const viewer = account.keys.viewer
    const refused = await api.call('POST', `/v1/forms/${form.id}/submissions`, {
      key: viewer,
      body: { answers: right },
    })
    expect(refused.status).toBe(403)
  })
})

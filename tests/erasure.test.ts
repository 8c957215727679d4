import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { emailKeyOf, hashKeyOf } from '../src/db/emailKey.ts'
import * as erasures from '../src/db/erasure.ts'
import { operator } from '../src/db/audit.ts'
import * as t from '../src/db/schema.ts'
import { openFairlead, until, type Fairlead } from './support/fairlead.ts'
import { plainList } from './support/plain.ts'
import { openForm } from './support/submission.ts'
import { openList, sumsAgree, type TestList } from './support/sync.ts'
import { tracesOf } from './support/traces.ts'
import { addUploads, expectBalanced, type Uploads } from './support/upload.ts'
import { openPeople, type People } from './sync/people.ts'
import { addAccount } from './support/stranger.ts'

let fairlead: Fairlead
let uploads: Uploads
let crm: People
let leads: TestList
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 60, contacts: 5 })
  uploads = await addUploads(fairlead)
  crm = openPeople(fairlead)
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company']))
  leads = await openList(fairlead, run.listId!)
}, 60_000)
afterAll(async () => {
  await uploads.app.close()
  await fairlead.close()
})

let made = 0
const somebody = (name = 'Zephyrine') => {
  const email = `${name}.${(made += 1)}@Erased.example`.toLowerCase()
  return { email, id: crm.add('lead', { Email: email, LastName: `${name}Quux`, Company: 'Gone Ltd', Title: 'Chief' }) }
}
const post = (url: string, body: unknown) =>
  uploads.call('POST', url, JSON.stringify(body), { 'content-type': 'application/json' })
const erase = async (body: object) => {
  const answer = await post('/v1/erasures', body)
  expect([answer.status, answer.body.detail]).toEqual([201, undefined])
  return answer.body
}
const has = async (list: TestList, id: string): Promise<boolean> =>
  (await list.records()).some(({ crmId }) => crmId === id)
const codes = async (list: TestList, runId: string): Promise<string[]> =>
  (await list.entries(runId)).map(({ kind, code, crmId, recordId }) => `${kind}:${code}:${crmId ?? recordId ?? ''}`)

/** Rows of the person in tables that no run of this test fills. */
const leaveTraces = async (email: string, crmId: string, recordId: string): Promise<void> => {
  const { db, accountId, wiring } = fairlead
  const emailKey = emailKeyOf(await hashKeyOf(db, wiring.secrets, accountId), email)!
  const [connection] = await db.select().from(t.connections)
  const connectionId = connection!.id
  const [run] = await db.select().from(t.runs)
  const definition = { subject: 'Hello', html: '' } as typeof t.messageVersions.$inferInsert.definition
  const [message] = await db
    .insert(t.messages)
    .values({ accountId, name: `M ${made}` })
    .returning()
  await db.insert(t.messageVersions).values({ accountId, messageId: message!.id, version: 1, definition })
  const [delivery] = await db
    .insert(t.deliveries)
    .values({
      accountId,
      messageId: message!.id,
      version: 1,
      recordId,
      crmEntity: 'lead',
      crmId,
      emailKey,
      email,
      state: 'accepted',
    })
    .returning()
  const deliveryId = delivery!.id
  const reported = { accountId, messageId: message!.id, version: 1, emailKey, email, state: 'accepted' as const }
  await db.insert(t.deliveries).values(['first', 'second'].map((of) => ({ ...reported, externalId: `${of} ${email}` })))
  await db
    .insert(t.messageTests)
    .values({ accountId, messageId: message!.id, version: 1, recipients: [email, 'other@test.example'] })
  const bytes = Buffer.from(`Dear ${email}`)
  await db
    .insert(t.deliveryContents)
    .values({ deliveryId, accountId, subject: `For ${email}`, html: bytes, text: bytes, sha256: bytes })
  await db.insert(t.previewViews).values({ accountId, deliveryId, network: '192.0.2.0', browser: 'Firefox' })
  await db
    .insert(t.messageTests)
    .values({ accountId, messageId: message!.id, version: 1, recordId, recipients: [email.toUpperCase()] })
  const note = { deliveryId, accountId, messageId: message!.id, connectionId, crmEntity: 'lead' as const, crmId }
  await db.insert(t.notes).values({ ...note, crm: { message: email } })
  const suppression = { accountId, email, emailKey, reason: 'unsubscribed' as const, source: 'person' as const }
  const [opted] = await db
    .insert(t.suppressions)
    .values({ ...suppression, evidence: `${email} said so` })
    .returning()
  const results = [{ entity: 'lead' as const, id: crmId, at: '2026-11-23T10:00:00.000Z', wrote: true }]
  const out = { accountId, connectionId, suppressionId: opted!.id, emailKey, email, doNotEmail: true, results }
  await db.insert(t.optOuts).values(out)
  const candidates = [{ entity: 'lead' as const, id: crmId, values: { c1: email } }]
  const asked = { accountId, listId: leads.listId, kind: 'match' as const, candidates, runId: run!.id }
  await db.insert(t.decisions).values({ ...asked, recordId: '019ab3c4-7000-7000-8000-66778899aabb' })
  await db.insert(t.creations).values({ connectionId, emailKey, accountId, recordId, runId: run!.id, email })
  await db.insert(t.lateRows).values({ listId: leads.listId, entity: 'lead', crmId, accountId })
  const gone = { connectionId, entity: 'lead' as const, crmId: 'QOLD00000001', accountId, state: 'merged' as const }
  await db.insert(t.crmPeople).values({ ...gone, successorEntity: 'lead', successorId: crmId })
}

describe('R40: an erasure', () => {
  test('leaves nothing of the person in any table, and a proof that names nobody', async () => {
    const { email, id } = somebody('Walkalong')
    await leads.run()
    const plain = await plainList(fairlead, 'Walked', { Job: ['Title', 'Title'] })
    const removed = await plain.create({ 'E-mail': email, 'Last name': 'WalkalongQuux' })
    await plain.edit(removed, { Job: 'Worker of Walkalong' })
    await plain.remove(removed)
    const form = await openForm(fairlead, plain, { email: 'E-mail', last: 'Last name' })
    await form.settled(await form.submit({ email, last: 'WalkalongQuux' }))
    const listId = await uploads.newList()
    await uploads.upload(listId, `E-mail,Score\n${email},1\n${email.toUpperCase()},no number\n`)
    const { id: recordId } = (await leads.records()).find(({ crmId }) => crmId === id)!
    await leads.edit(recordId, { Title: 'Walkalong Title' })
    await leads.run()
    await leaveTraces(email, id, recordId)
    const texts = [email, 'WalkalongQuux', id, 'Walkalong Title', 'Worker of Walkalong', recordId, 'QOLD00000001']
    expect(await tracesOf(fairlead.db, texts)).not.toEqual([])
    const proof = await erase({ email: ` ${email.toUpperCase()}`, reason: 'Case 7' })
    expect(await tracesOf(fairlead.db, texts)).toEqual([])
    expect(await fairlead.db.select().from(t.messageTests)).toMatchObject([
      { recipients: ['other@test.example'] },
      { recipients: [], recordId: null },
    ])
    expect(proof).toMatchObject({ crmUntouched: true, reason: 'Case 7', liftedAt: null })
    expect(proof.counts).toMatchObject({
      records: 3,
      submissions: 1,
      deliveries: 3,
      previews: 1,
      notes: 1,
      suppressions: 1,
      optOuts: 1,
      decisions: 1,
    })
    expect(proof.counts.edits).toBeGreaterThan(3)
    expect(proof.counts.entries).toBeGreaterThan(0)
    expect(crm.everybody().get(id)).toMatchObject({ Email: email })
    const shown = await uploads.call('GET', `/v1/erasures/${proof.id}`)
    expect(shown.body).toEqual(proof)
    const { body } = await uploads.call('GET', '/v1/erasures?limit=1')
    expect(body.items).toEqual([proof])
    await uploads.expectCounted(listId, 0)
    await uploads.expectCounted(plain.listId, 0)
  })

  test('by a record or a CRM id takes the address and all records with it; another account is untouched', async () => {
    const other = await addAccount(fairlead)
    for (const by of ['record', 'crm'] as const) {
      const { email, id } = somebody()
      await leads.run()
      const plain = await plainList(fairlead, `Beside ${by}`, { Job: null })
      await plain.create({ 'E-mail': email })
      const theirs = await other.addRecord(email)
      const record = (await leads.records()).find(({ crmId }) => crmId === id)!
      const { counts } = await erase(by === 'record' ? { recordId: record.id } : { crm: { entity: 'lead', id } })
      expect(counts).toMatchObject({ records: 2, hashes: 2 })
      expect(await has(leads, id)).toBe(false)
      expect(await plain.records()).toEqual([])
      expect(await other.has(theirs)).toBe(true)
      expect((await post('/v1/erasures', { recordId: record.id })).status).toBe(404)
      const restored = await uploads.call('POST', `/v1/lists/${leads.listId}/records/${record.id}/restore`)
      expect(restored.status).toBe(404)
    }
  })
})

describe('R40: an erased person does not return', () => {
  test('by sync, import, sweep or verification, and every ledger balances', async () => {
    const { email, id } = somebody()
    await leads.run()
    await erase({ email })
    crm.control.edit({ entity: 'lead', id, values: { Title: 'Changed' } })
    // somebody else in the CRM with the address is the same person
    const twin = crm.add('lead', { Email: email.toUpperCase(), LastName: 'Twin', Company: 'Gone Ltd' })
    const sync = await leads.run()
    expect(sumsAgree(sync)).toBe(true)
    const skipped = (await codes(leads, sync.id)).filter((said) => said.includes('erased'))
    expect(new Set(skipped)).toEqual(new Set(['skipped:erased:']))
    expect(skipped.length).toBeGreaterThan(1)
    for (const kind of ['sweep', 'verify'] as const) {
      const run = await leads.run(kind)
      expect([kind, run.state, run.balance?.balanced]).toEqual([kind, 'succeeded', true])
      expect(run.balance).toMatchObject({ difference: 0, missing: 0, extra: 0 })
      expect(run.balance?.explained['erased']).toBeGreaterThan(1)
    }
    const run = await fairlead.finished(await fairlead.startImport('lead', ['Title'], true))
    expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
    const imported = await openList(fairlead, run.listId!)
    for (const list of [leads, imported]) for (const each of [id, twin]) expect(await has(list, each)).toBe(false)
    expect(await tracesOf(fairlead.db, [email, id, twin])).toEqual([])
  })

  test('by a sweep that is the first to meet a further lead with the address', async () => {
    const { email, id } = somebody()
    await erase({ email })
    const run = await leads.run('sweep')
    expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true, difference: 0, missing: 0 } })
    expect(await has(leads, id)).toBe(false)
  })

  test('by file, API or a push', async () => {
    const { email, id } = somebody()
    await leads.run()
    await erase({ crm: { entity: 'lead', id } })
    const listId = await uploads.newList()
    const run = await uploads.upload(listId, `E-mail,Score\n${email},1\nfine@example.com,2\n${email},no number\n`)
    expectBalanced(run, { read: 3, created: 1, skipped: 2, rejected: 0 })
    expect(await uploads.errors(run.id)).not.toContain(email)
    const url = `/v1/lists/${listId}/records`
    const one = await post(url, { email })
    expect([one.status, one.body.code]).toEqual([409, 'erased'])
    const rows = await post(`${url}/bulk`, { match: 'email', records: [{ email }, { email: 'good@example.com' }] })
    expect(rows.body.results.map(({ result, code }: { result: string; code: string }) => [result, code])).toEqual([
      ['skipped', 'erased'],
      ['created', null],
    ])
    const changed = await uploads.call('PATCH', `${url}/${rows.body.results[1].id}`, JSON.stringify({ email }), {
      'content-type': 'application/json',
    })
    expect([changed.status, changed.body.code]).toEqual([409, 'erased'])
    // the CRM has given the person another address, which nobody knew
    crm.control.edit({ entity: 'lead', id, values: { Email: 'unheard@erased.example' } })
    const plain = await plainList(fairlead, 'Pushed at', { Firm: ['Company', null] })
    await plain.create({ 'E-mail': 'unheard@erased.example', 'Last name': 'U', Firm: 'F' })
    crm.takeWrites()
    const pushed = await plain.run()
    expect(sumsAgree(pushed)).toBe(true)
    expect((await plain.entries(pushed.id)).map(({ code }) => code)).toEqual(['erased'])
    expect(crm.takeWrites()).toEqual([])
    expect(await tracesOf(fairlead.db, [email])).toEqual([])
  })

  test('a form that the person fills in lifts it, one that a program fills in does not, and an opt-out stays', async () => {
    const { email, id } = somebody('Comeback')
    await leads.run()
    await post('/v1/suppressions', { email, reason: 'unsubscribed' })
    const { id: erasureId } = await erase({ email })
    const plain = await plainList(fairlead, 'Come back', { Job: ['Title', 'Title'] })
    const form = await openForm(fairlead, plain, { email: 'E-mail', last: 'Last name' })
    const { body: byProgram } = await post(`/v1/forms/${form.formId}/submissions`, {
      answers: { email, last: 'ComebackQuux' },
    })
    expect(await form.settled(byProgram.id)).toMatchObject({ state: 'rejected', code: 'erased', recordId: null })
    expect(await tracesOf(fairlead.db, [email, 'ComebackQuux', id])).toEqual([])
    expect((await post(`/v1/submissions/${byProgram.id}/retry`, {})).status).toBe(409)
    const own = await form.settled(await form.submit({ email, last: 'ComebackQuux' }))
    expect(own).toMatchObject({ state: 'pushed', results: [{ id }] })
    const [record] = await plain.records()
    expect(record).toMatchObject({ crmId: id, values: { 'E-mail': email } })
    const { body } = await uploads.call('GET', `/v1/erasures/${erasureId}`)
    expect(body.liftedAt).not.toBeNull()
    const found = await post('/v1/suppressions/search', { email, lifted: false })
    expect(found.body.items).toMatchObject([{ reason: 'unsubscribed', email: null, evidence: null }])
    await leads.run('sweep')
    expect(await has(leads, id)).toBe(true)
  })
})

describe('R40: beside work under way', () => {
  test('an erasure that is cut off in the middle has done nothing, and is done when it is repeated', async () => {
    const { email, id } = somebody('Halfway')
    await leads.run()
    await post('/v1/suppressions', { email, reason: 'unsubscribed' })
    const { db, wiring, accountId } = fairlead
    const sql = db.$client
    const before = await sql`select id from erasures`
    const cut = sql.begin(async (tx) => {
      await tx`select from suppressions where email = ${email} for update`
      const erasing = erasures.erase(db, wiring.secrets, accountId, { subject: { email }, reason: null }, operator)
      const ended = expect(erasing).rejects.toThrow()
      await until('its process is gone', async () => {
        const gone = await sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like '%update suppressions%'`
        return gone.length > 0
      })
      await ended
    })
    await cut
    expect(await has(leads, id)).toBe(true)
    expect(await sql`select id from erasures`).toHaveLength(before.length)
    await erase({ email })
    expect(await has(leads, id)).toBe(false)
  })

  test('of an opt-out that the CRM confirms after the person was erased nothing is kept', async () => {
    const { email, id } = somebody('Optout')
    await leads.run()
    const slow = { kind: 'slow', ms: 2000, when: 'after', times: 1, match: { kind: 'leads', method: 'PUT' } } as const
    crm.control.addFault(slow)
    await post('/v1/suppressions', { email, reason: 'unsubscribed' })
    await until('the CRM is told', async () => crm.everybody().get(id)?.['DoNotEmail'] === true)
    await erase({ email })
    const next = somebody('Optnext')
    await post('/v1/suppressions', { email: next.email, reason: 'unsubscribed' })
    await until('the next one is told', async () => crm.everybody().get(next.id)?.['DoNotEmail'] === true)
    expect(await tracesOf(fairlead.db, [email, 'OptoutQuux', id])).toEqual([])
  })

  test('people who are erased while an import reads them are on no list, and its ledger balances', async () => {
    const crowd = Array.from({ length: 30 }, () => somebody('Racer'))
    crm.control.settings({ latencyMs: 30, maxPage: 5 })
    const runId = await fairlead.startImport('lead', ['Title'], true)
    try {
      await until('the import has stored a page', async () => {
        const [sum] = await fairlead.db.$client<[{ created: number }]>`
          select coalesce(sum(created), 0)::int as created from lanes where run_id = ${runId}`
        return sum.created > 0
      })
      const { db, wiring, accountId } = fairlead
      await Promise.all(
        crowd.map(({ email }) =>
          erasures.erase(db, wiring.secrets, accountId, { subject: { email }, reason: null }, operator),
        ),
      )
    } finally {
      crm.control.settings({ latencyMs: 0, maxPage: 200 })
    }
    const run = await fairlead.finished(runId)
    expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true, difference: 0 } })
    expect(await tracesOf(fairlead.db, [...crowd.slice(0, 10).map(({ email }) => email), 'RacerQuux'])).toEqual([])
  })
})

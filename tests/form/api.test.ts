import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { addUploads, type Json, type Uploads } from '../support/upload.ts'

let fairlead: Fairlead
let api: Uploads
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 5, contacts: 5 })
  await fairlead.connect()
  api = await addUploads(fairlead, { waitMs: 20_000 })
  // a machine that has just started a worker may be too busy for a moment
  await until('the API is at ease', async () => (await api.call('GET', '/v1/forms')).status === 200)
}, 60_000)
afterAll(async () => {
  await api.app.close()
  await fairlead.close()
})

const post = (url: string, body: unknown) =>
  api.call('POST', url, JSON.stringify(body), { 'content-type': 'application/json' })
const save = (field: string, name = field) => {
  const picklist = { entity: 'lead', field }
  const fields = [
    { name: 'email', type: 'email' },
    { name: 'industry', type: 'choice', picklist, column: null },
  ]
  return post('/v1/forms', { name, list: { name }, push: true, fields })
}

test('F1: choices of a CRM picklist come with the form that is saved, and only these are taken', async () => {
  const form = await save('industry')
  expect(form.status, form.text).toBe(201)
  const [, { choices, picklist }] = form.body.fields
  expect(picklist).toEqual({ entity: 'lead', field: 'Industry' })
  expect(choices.length).toBeGreaterThan(3)
  const submit = (industry: string) =>
    post(`/v1/forms/${form.body.id}/submissions`, { answers: { email: 'pat@example.com', industry } })
  expect((await submit(choices[1].value)).status).toBe(202)
  expect((await submit('Nothing of the kind')).body.errors).toMatchObject([
    { path: 'answers.industry', code: 'notChoice' },
  ])
})

test('a field without a picklist, and one that the CRM does not have, are refused', async () => {
  expect((await save('Company')).body).toMatchObject({ errors: [{ path: 'fields[1].picklist.field' }] })
  expect((await save('Nothing')).body).toMatchObject({ code: 'unknownField' })
})

test('F2, F3: a rejected submission is a lead after the form was mended and it was tried again; its record tells of it', async () => {
  const form = (
    await post('/v1/forms', {
      name: 'Fair',
      list: { name: 'Fair people' },
      push: true,
      fields: [
        { name: 'email', type: 'email' },
        { name: 'lastName', type: 'text' },
      ],
    })
  ).body
  expect(form.warnings.map(({ code, field }: Json) => [code, field])).toContainEqual(['requiredMissing', 'Company'])
  const sent = await post(`/v1/forms/${form.id}/submissions`, {
    answers: { email: 'Fair@Example.com', lastName: 'Fair' },
  })
  const settled = (state: string) =>
    until(`it is ${state}`, async () => {
      const { body } = await api.call('GET', `/v1/submissions/${sent.body.id}`)
      return body?.state === state ? body : undefined
    })
  expect(await settled('rejected')).toMatchObject({ code: 'requiredMissing', remedy: expect.stringContaining('form') })
  const mended = await api.call(
    'PATCH',
    `/v1/forms/${form.id}`,
    JSON.stringify({ version: 1, newLeadDefaults: { Company: 'Unknown Ltd' } }),
    { 'content-type': 'application/json' },
  )
  expect(mended.status).toBe(200)
  expect((await post(`/v1/forms/${form.id}/retry`, { code: 'requiredMissing' })).body).toEqual({ retried: 1 })
  const pushed = await settled('pushed')
  expect(pushed).toMatchObject({ version: 1, results: [{ entity: 'lead', kind: 'created' }] })
  const lead = fairlead.simulator.control.person('lead', pushed.results[0].id)
  expect(lead).toMatchObject({ Email: 'Fair@Example.com', LastName: 'Fair', Company: 'Unknown Ltd' })
  const timeline = await api.call('GET', `/v1/lists/${form.list.id}/records/${pushed.recordId}/timeline`)
  const told = timeline.body.items.find(({ kind }: Json) => kind === 'filledIn')
  expect(told).toMatchObject({ submission: { id: sent.body.id, state: 'pushed', results: pushed.results } })
  // what was made and changed here says by which submission
  const others = timeline.body.items.filter(({ kind }: Json) => kind === 'created' || kind === 'submitted')
  expect(others.map(({ kind }: Json) => kind)).toContain('created')
  for (const { kind, submission } of others)
    expect(submission, kind).toMatchObject({ id: sent.body.id, form: { id: form.id } })
})

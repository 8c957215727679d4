import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from './support/fairlead.ts'
import { addUploads, type Uploads } from './support/upload.ts'

let fairlead: Fairlead
let api: Uploads
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 5, contacts: 5 })
  await fairlead.connect()
  api = await addUploads(fairlead, { waitMs: 20_000 })
}, 60_000)
afterAll(async () => {
  await api.app.close()
  await fairlead.close()
})

const save = (field: string, name = field) => {
  const picklist = { entity: 'lead', field }
  const fields = [
    { name: 'email', type: 'email' },
    { name: 'industry', type: 'choice', picklist, column: null },
  ]
  const body = { name, list: { name }, push: true, fields }
  return api.call('POST', '/v1/forms', JSON.stringify(body), { 'content-type': 'application/json' })
}

test('F1: choices of a CRM picklist come with the form that is saved, and only these are taken', async () => {
  const form = await save('industry')
  expect(form.status, form.text).toBe(201)
  const [, { choices, picklist }] = form.body.fields
  expect(picklist).toEqual({ entity: 'lead', field: 'Industry' })
  expect(choices.length).toBeGreaterThan(3)
  const submit = (industry: string) =>
    api.call(
      'POST',
      `/v1/forms/${form.body.id}/submissions`,
      JSON.stringify({ answers: { email: 'pat@example.com', industry } }),
      { 'content-type': 'application/json' },
    )
  expect((await submit(choices[1].value)).status).toBe(202)
  expect((await submit('Nothing of the kind')).body.errors).toMatchObject([
    { path: 'answers.industry', code: 'notChoice' },
  ])
})

test('a field without a picklist, and one that the CRM does not have, are refused', async () => {
  expect((await save('Company')).body).toMatchObject({ errors: [{ path: 'fields[1].picklist.field' }] })
  expect((await save('Nothing')).body).toMatchObject({ code: 'unknownField' })
})

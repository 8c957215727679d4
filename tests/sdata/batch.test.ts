import { describe, expect, onTestFinished, test } from 'vitest'
import type { Crm, CrmChanges, CrmFound } from '../../src/domain/crm.ts'
import { isFairleadError } from '../../src/domain/errors.ts'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { basics, failure, field, openCrm, standBefore, type Reaction } from './support.ts'

const fields = [...basics, field('CScore', 'number'), field('Address/City')]

/** A CRM that has made enough single changes to compare with, and 25 people to change. */
const scene = async (
  { latencyMs = 6, timeoutMs = 5000 }: { latencyMs?: number; timeoutMs?: number } = {},
  react: (body: string) => Reaction | undefined = () => undefined,
) => {
  const simulator: Simulator = await startSimulator({ leads: 80, contacts: 5, seed: 3 })
  onTestFinished(() => simulator.close())
  const server = await standBefore(simulator.url, ({ path, body }) =>
    path.endsWith('/$batch') ? react(body) : undefined,
  )
  const crm = openCrm(server.root, { password: 'secret', timeoutMs })
  const ids = simulator.control.people({ entity: 'lead', count: 80 }).items.map(({ Id }) => Id)
  const { rows } = await crm.peopleById('lead', fields, ids)
  simulator.control.settings({ latencyMs })
  const write = (person: CrmFound, changes: CrmChanges) => crm.update('lead', fields, person, changes)
  for (const person of rows.slice(30, 52)) await write(person, { FirstName: 'Alone' })
  const people = rows.slice(0, 25)
  const batches = () => server.requests.filter(({ path }) => path.endsWith('/$batch'))
  const singles = () => server.requests.filter(({ method }) => method === 'PUT').length - 22
  return { simulator, crm, people, batches, singles, truth: (id: string) => simulator.control.person('lead', id)! }
}

const itemsFor = (people: CrmFound[], changes: (at: number) => CrmChanges = (at) => ({ FirstName: `Many ${at}` })) =>
  people.map((person, at) => ({ person, changes: changes(at) }))
const many = (crm: Crm, items: ReturnType<typeof itemsFor>) => crm.updateMany('lead', fields, items)
const codeOf = (outcome: unknown) => (isFairleadError(outcome) ? outcome.code : 'written')

describe('many people in one request', () => {
  test('are written once it is known to be faster, each answered as it was stored', async () => {
    const { simulator, crm, people, batches, truth } = await scene()
    expect(crm.batchable()).toBeNull()
    const changes = (at: number): CrmChanges => ({
      FirstName: `Zoë ${at}`,
      ...(at % 3 === 0 ? { 'Address/City': `City ${at}` } : {}),
      ...(at % 4 === 0 ? { CScore: { bigDecimal: '1234567890.1234567' } } : {}),
    })
    const outcomes = await many(crm, itemsFor(people, changes))
    expect(outcomes?.map(codeOf)).toEqual(people.map(() => 'written'))
    expect(crm.batchable()).toBe(true)
    expect(batches()).toHaveLength(1)
    for (const [at, outcome] of (outcomes as CrmFound[]).entries()) {
      expect(outcome.id).toBe(people[at]!.id)
      expect(outcome.values['FirstName']).toBe(`Zoë ${at}`)
      expect(Object.keys(outcome.values)).toHaveLength(fields.length)
      expect(outcome.etag).not.toBe(people[at]!.etag)
      expect(truth(outcome.id)['FirstName']).toBe(`Zoë ${at}`)
      if (at % 3 === 0) expect(outcome.values['Address/City']).toBe(`City ${at}`)
    }
    expect(batches()[0]?.body).toContain('"CScore":1234567890.1234567')
    expect((await many(crm, itemsFor((outcomes as CrmFound[]).slice(0, 3))))?.map(codeOf)).toEqual(
      Array(3).fill('written'),
    )
    expect(batches()).toHaveLength(2)
    expect(simulator.control.gauges().secretReplies).toBe(0)
  })

  test('each has its own outcome: R22', async () => {
    const { simulator, crm, people, batches, singles, truth } = await scene()
    simulator.control.edit({ entity: 'lead', id: people[2]!.id, values: { LastName: 'Theirs' } })
    simulator.control.edit({ entity: 'lead', id: people[3]!.id, values: { FirstName: 'Many 3' } })
    simulator.control.remove({ entity: 'lead', ids: [people[5]!.id] })
    simulator.control.addFault({ kind: 'forbidden', ids: [people[7]!.id] })
    const special: Record<number, CrmChanges> = { 4: { LastName: null }, 6: { CScore: 'no number' }, 8: {} }
    const items = itemsFor(people, (at) => special[at] ?? { FirstName: `Many ${at}` })
    const outcomes = await many(crm, items)
    const expected = people.map(
      (_, at) =>
        ({ 2: 'crmChanged', 4: 'crmRefused', 5: 'crmNotFound', 6: 'crmRefused', 7: 'noRight' })[at] ?? 'written',
    )
    expect(outcomes?.map(codeOf)).toEqual(expected)
    expect(batches()).toHaveLength(1)
    expect(singles()).toBe(0)
    expect(outcomes?.[4]).toMatchObject({ details: { crm: { message: 'LastName is required.' } } })
    expect(outcomes?.[8]).toEqual(people[8])
    for (const [at, { id }] of people.entries())
      if (expected[at] === 'written' && at !== 8) expect(truth(id)['FirstName']).toBe(`Many ${at}`)
  })

  test('those without an answer, and those that failed for the moment, are written alone', async () => {
    const answered: { $resources: Record<string, unknown>[] } = { $resources: [] }
    const { crm, people, singles, truth } = await scene({}, (body) => {
      const { $resources: items } = JSON.parse(body) as { $resources: { $key: string }[] }
      answered.$resources = items.slice(0, 20).map(({ $key }, at) => ({
        $key,
        $httpStatus: at < 2 ? 500 : 200,
        ...(at < 2 ? { $diagnoses: [{ severity: 'Error', message: 'Broken' }] } : {}),
      }))
      return { json: answered }
    })
    const outcomes = await many(crm, itemsFor(people))
    expect(outcomes?.map(codeOf)).toEqual(people.map(() => 'written'))
    expect(singles()).toBe(7)
    for (const at of [0, 1, 20, 24]) expect(truth(people[at]!.id)['FirstName']).toBe(`Many ${at}`)
  })
})

test('a property that goes missing in between is left out, and what was written stays written (R24)', async () => {
  const { simulator, crm, people, truth } = await scene()
  simulator.control.addFault({ kind: 'missingProperty', entity: 'Lead', property: 'CScore' })
  const outcomes = await many(crm, itemsFor(people))
  expect(outcomes?.map(codeOf)).toEqual(people.map(() => 'written'))
  for (const [at, outcome] of (outcomes as CrmFound[]).entries()) {
    expect(outcome.values).not.toHaveProperty('CScore')
    expect(truth(outcome.id)['FirstName']).toBe(`Many ${at}`)
  }
})

describe('one by one', () => {
  test('while there is nothing to compare with, and for few', async () => {
    const { simulator, crm, people, batches } = await scene()
    const fresh = openCrm(`${simulator.url}/sdata`, { password: 'secret' })
    expect(await many(fresh, itemsFor(people))).toBeNull()
    expect(await many(crm, itemsFor(people.slice(0, 19)))).toBeNull()
    expect(await many(crm, itemsFor([...people, people[0]!]))).toBeNull()
    expect(await many(crm, [])).toEqual([])
    expect(batches()).toEqual([])
  })

  test('where the trial was slower: what it wrote is answered all the same', async () => {
    const { simulator, crm, people, batches } = await scene({ latencyMs: 2, timeoutMs: 60_000 })
    // far slower than a single request on the busiest machine
    simulator.control.settings({ batchItemMs: 250 })
    expect((await many(crm, itemsFor(people)))?.map(codeOf)).toEqual(people.map(() => 'written'))
    expect(crm.batchable()).toBe(false)
    expect(await many(crm, itemsFor(people))).toBeNull()
    expect(batches()).toHaveLength(1)
  })

  test.each<[string, Reaction]>([
    [
      '404 with a diagnosis',
      { status: 404, json: [{ severity: 'Error', sdataCode: 'ApplicationNotFound', message: 'x' }] },
    ],
    ['404', { status: 404, body: '<html></html>' }],
    ['405', { status: 405, body: '' }],
    ['501', { status: 501, body: '' }],
    [
      'a size that is refused',
      { status: 400, json: [{ severity: 'Error', sdataCode: 'BadQueryParameter', message: 'x' }] },
    ],
    ['HTML', { body: '<html><title>Portal</title></html>' }],
    ['nothing', { body: '' }],
    ['another shape', { json: { hello: 'there' } }],
  ])('for ever after %s', async (_title, reaction) => {
    const { crm, people, batches, truth } = await scene({}, () => reaction)
    expect(await many(crm, itemsFor(people))).toBeNull()
    expect(await many(crm, itemsFor(people))).toBeNull()
    expect(batches()).toHaveLength(1)
    const found = await crm.update('lead', fields, people[0]!, { FirstName: 'Alone again' })
    expect(found.values['FirstName']).toBe('Alone again')
    expect(truth(people[0]!.id)['FirstName']).toBe('Alone again')
  })

  test('after a batch whose answer was lost: single changes find what it wrote', async () => {
    const { simulator, crm, people, truth } = await scene({ timeoutMs: 600 })
    simulator.control.addFault({ kind: 'hangAfterWrite', times: 1, match: { contains: '$batch' } })
    expect(await many(crm, itemsFor(people))).toBeNull()
    for (const { person, changes } of itemsFor(people.slice(0, 8)))
      expect((await crm.update('lead', fields, person, changes)).values).toMatchObject(changes)
    expect(truth(people[3]!.id)['FirstName']).toBe('Many 3')
  })

  test('a CRM that is out of reach is no verdict on batches', async () => {
    const { crm, people } = await scene({}, () => ({ drop: true }))
    expect((await failure(many(crm, itemsFor(people)) as Promise<unknown>)).code).toBe('crmUnreachable')
    const busy = await scene({}, () => ({ status: 503, body: '' }))
    expect((await failure(many(busy.crm, itemsFor(busy.people)) as Promise<unknown>)).code).toBe('crmBusy')
  })
})

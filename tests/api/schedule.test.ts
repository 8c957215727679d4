import { and, eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as connections from '../../src/db/connection.ts'
import * as t from '../../src/db/schema.ts'
import { localTimeOf } from '../../src/domain/schedule.ts'
import { openApi, type Account, type Answer, type TestApi } from '../support/api.ts'
import { addConnection, addList, defaultFolder } from './rows.ts'

let api: TestApi
let account: Account
let connectionId: string
let lists: string[]

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const addPlain = async (name: string): Promise<string> => {
  const folderId = await defaultFolder(api.db, account.id)
  const rows = await api.db.insert(t.lists).values({ accountId: account.id, folderId, name, kind: 'plain' }).returning()
  return rows[0]!.id
}

beforeEach(async () => {
  account = await api.newAccount()
  connectionId = await addConnection(api.db, account.id)
  lists = [await addList(api.db, account.id, { connectionId })]
  for (let index = 1; index < 12; index += 1) lists.push(await addPlain(`List ${index}`))
})

const daily = { frequency: 'daily', time: '06:30' }
const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, key = account.keys.admin) =>
  api.call(method, `/v1${path}`, { key, body })
const put = (listId: string, body: unknown = daily) => call('PUT', `/lists/${listId}/schedule`, body)
const fill = async (count: number) => {
  for (const listId of lists.slice(0, count)) expect((await put(listId)).status).toBe(200)
}
const planner = async () => (await call('GET', '/schedules')).body
const stored = () => api.db.select().from(t.schedules).where(eq(t.schedules.accountId, account.id))
const addSegment = async (listId: string, name = 'Berlin'): Promise<string> => {
  const definition = { match: 'all', conditions: [] } as never
  const rows = await api.db.insert(t.segments).values({ accountId: account.id, listId, name, definition }).returning()
  return rows[0]!.id
}

describe('T1: what a schedule says', () => {
  test('it has the account’s time zone and begins today there, and shows the next five times', async () => {
    await call('GET', '/account')
    await api.call('PATCH', '/v1/account', { key: account.keys.admin, body: { timeZone: 'Pacific/Kiritimati' } })
    const { body } = await put(lists[0]!, { frequency: 'weekly', daysOfWeek: ['friday', 'monday'], time: '06:30' })
    expect(body).toMatchObject({
      frequency: 'weekly',
      daysOfWeek: ['monday', 'friday'],
      dayOfMonth: null,
      everyHours: null,
      timeZone: 'Pacific/Kiritimati',
      startDate: localTimeOf('Pacific/Kiritimati', new Date()).slice(0, 10),
      state: 'active',
      slot: 1,
      list: { id: lists[0], name: 'All Infor CRM Leads' },
      segment: null,
      lastFiring: null,
      warnings: [],
    })
    expect(body.nextTimes).toHaveLength(5)
    await api.call('PATCH', '/v1/account', { key: account.keys.admin, body: { timeZone: 'UTC' } })
    expect((await call('GET', `/lists/${lists[0]}/schedule`)).body).toEqual(body)
  })

  test('R20: the next five times across a change of the clock and at the ends of months', async () => {
    const gap = { ...daily, time: '02:30', startDate: '2035-03-24', timeZone: 'Europe/Berlin' }
    const times = async (spec: unknown) => (await put(lists[0]!, spec)).body.nextTimes
    expect(await times(gap)).toEqual([
      { at: '2035-03-24T01:30:00.000Z', localTime: '2035-03-24T02:30' },
      { at: '2035-03-25T01:00:00.000Z', localTime: '2035-03-25T03:00' },
      { at: '2035-03-26T00:30:00.000Z', localTime: '2035-03-26T02:30' },
      { at: '2035-03-27T00:30:00.000Z', localTime: '2035-03-27T02:30' },
      { at: '2035-03-28T00:30:00.000Z', localTime: '2035-03-28T02:30' },
    ])
    const repeated = await times({ ...gap, startDate: '2035-10-28' })
    expect(repeated[0]).toEqual({ at: '2035-10-28T00:30:00.000Z', localTime: '2035-10-28T02:30' })
    expect(repeated[1].at).toBe('2035-10-29T01:30:00.000Z')
    const ends = await times({ ...gap, frequency: 'monthly', dayOfMonth: 30, time: '23:00', startDate: '2036-01-01' })
    expect(ends.map((each: { localTime: string }) => each.localTime.slice(0, 10))).toEqual([
      '2036-01-30',
      '2036-02-29',
      '2036-03-30',
      '2036-04-30',
      '2036-05-30',
    ])
  })

  test.each([
    [{ ...daily, daysOfWeek: ['monday'] }, 'daysOfWeek'],
    [{ ...daily, dayOfMonth: 3 }, 'dayOfMonth'],
    [{ ...daily, frequency: 'weekly' }, 'daysOfWeek'],
    [{ ...daily, frequency: 'weekly', daysOfWeek: ['monday', 'monday'] }, 'daysOfWeek'],
    [{ ...daily, frequency: 'monthly' }, 'dayOfMonth'],
    [{ ...daily, frequency: 'monthly', dayOfMonth: 32 }, 'dayOfMonth'],
    [{ ...daily, time: '6:30' }, 'time'],
    [{ ...daily, time: '24:00' }, 'time'],
    [{ ...daily, everyHours: 24 }, 'everyHours'],
    [{ ...daily, startDate: '2027-02-29' }, 'startDate'],
    [{ ...daily, startDate: '9999-01-01' }, 'startDate'],
    [{ ...daily, timeZone: '+02:00' }, 'timeZone'],
    [{ ...daily, timeZone: 'Europe/Nowhere' }, 'timeZone'],
    [{ ...daily, jitter: 5 }, ''],
  ])('%j is refused with its place', async (spec, path) => {
    const { status, body } = await put(lists[0]!, spec)
    expect([status, body.code]).toEqual([422, 'invalidInput'])
    expect(body.errors.map((each: { path: string }) => each.path).join()).toContain(path)
  })

  test('all that is wrong is said at once', async () => {
    const { body } = await put(lists[0]!, { ...daily, dayOfMonth: 1, time: '25:00', timeZone: 'Mars/Base' })
    expect(body.errors.map((each: { path: string }) => each.path)).toEqual(['dayOfMonth', 'time', 'timeZone'])
  })

  test('a schedule of a list that neither pushes nor pulls is warned of', async () => {
    expect((await put(lists[1]!)).body.warnings).toMatchObject([{ code: 'scheduleDoesNothing' }])
  })

  test('R36: administrators change schedules, everybody reads them', async () => {
    const path = `/lists/${lists[0]}/schedule`
    const refused = await Promise.all([
      call('PUT', path, daily, account.keys.marketer),
      call('DELETE', path, undefined, account.keys.marketer),
      call('POST', `${path}/pause`, undefined, account.keys.marketer),
      call('POST', `${path}/resume`, undefined, account.keys.marketer),
    ])
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403])
    await put(lists[0]!)
    expect((await call('GET', path, undefined, account.keys.viewer)).status).toBe(200)
    expect((await call('GET', '/schedules', undefined, account.keys.viewer)).status).toBe(200)
  })

  test('without a CRM, without a schedule, and from another account', async () => {
    const path = `/v1/lists/${lists[0]}/schedule`
    expect((await call('GET', `/lists/${lists[0]}/schedule`)).body.detail).toBe('The list has no schedule.')
    await put(lists[0]!)
    const theirs = api.stranger.keys.admin
    for (const [method, url, body] of [
      ['GET', path],
      ['PUT', path, daily],
      ['DELETE', path],
      ['POST', `${path}/pause`],
    ] as const)
      expect((await api.call(method, url, { key: theirs, body })).status).toBe(404)
    await api.db.update(t.connections).set({ active: false }).where(eq(t.connections.id, connectionId))
    expect((await put(lists[1]!)).body.code).toBe('notConnected')
  })
})

describe('P1: a schedule of a plain list that an earlier CRM was given', () => {
  test('is made as long as nobody on it is linked there, and refused with the reason then', async () => {
    const former = await addConnection(api.db, account.id, { active: false })
    const [listId] = lists.slice(1)
    await api.db.update(t.lists).set({ connectionId: former }).where(eq(t.lists.id, listId!))
    expect((await put(listId!)).status).toBe(200)
    const [other] = lists.slice(2)
    await api.db.update(t.lists).set({ connectionId: former }).where(eq(t.lists.id, other!))
    const linked = { accountId: account.id, listId: other!, crmEntity: 'lead', crmId: 'Q1', email: null } as const
    await api.db.insert(t.records).values({ ...linked, fields: {} } as never)
    expect(await put(other!)).toMatchObject({ status: 409, body: { code: 'conflict' } })
  })
})

describe('T2, R18: ten slots', () => {
  test('the eleventh is refused with the ten that hold the slots; a paused one frees its slot and needs one again', async () => {
    await fill(10)
    const refused = await put(lists[10]!)
    expect(refused.body).toMatchObject({ status: 409, code: 'slotsFull' })
    expect(refused.body.slots.map((each: { slot: number }) => each.slot)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(refused.body.slots[3]).toEqual({ slot: 4, list: { id: lists[3], name: 'List 3' }, segment: null })
    const paused = await call('POST', `/lists/${lists[3]}/schedule/pause`)
    expect(paused.body).toMatchObject({ state: 'paused', slot: null, pausedBy: 'person', nextTimes: [] })
    expect((await put(lists[10]!)).body.slot).toBe(4)
    expect((await call('POST', `/lists/${lists[3]}/schedule/resume`)).body.code).toBe('slotsFull')
    expect((await call('DELETE', `/lists/${lists[0]}/schedule`)).status).toBe(204)
    expect((await call('POST', `/lists/${lists[3]}/schedule/resume`)).body.slot).toBe(1)
  })

  test('of fifty concurrent requests for the last slot exactly one gets it', async () => {
    await fill(9)
    const more = await Promise.all(Array.from({ length: 38 }, (_, index) => addPlain(`More ${index}`)))
    const segments = await Promise.all(Array.from({ length: 10 }, (_, index) => addSegment(lists[0]!, `S${index}`)))
    const paths = [
      ...[...lists.slice(10), ...more].map((id) => `/lists/${id}/schedule`),
      ...segments.map((id) => `/segments/${id}/schedule`),
    ]
    expect(paths).toHaveLength(50)
    const answers = await Promise.all(paths.map((path) => call('PUT', path, daily)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.code === 'slotsFull')).toHaveLength(49)
    expect((await planner()).free).toBe(0)
  })

  test('pause, resume and removal raced against creation never make eleven, and never fail', async () => {
    await fill(10)
    const race = new AbortController()
    let most = 0
    const watch = async () => {
      while (!race.signal.aborted) {
        const active = (await stored()).filter(({ slot }) => slot !== null)
        expect(new Set(active.map(({ slot }) => slot)).size).toBe(active.length)
        most = Math.max(most, active.length)
      }
    }
    const watching = watch()
    const answers: Answer[] = []
    const turn = async (listId: string) => {
      const path = `/lists/${listId}/schedule`
      answers.push(await put(listId))
      answers.push(await call('POST', `${path}/pause`))
      const both = [call('POST', `${path}/resume`), put(listId, { ...daily, time: '07:00' })]
      answers.push(...(await Promise.all(both)))
      answers.push(await call('DELETE', path))
    }
    await Promise.all([...lists, ...lists].map(turn))
    race.abort()
    await watching
    expect(most).toBeLessThanOrEqual(10)
    expect(answers.filter(({ status }) => ![200, 204, 404, 409].includes(status)).map(({ body }) => body)).toEqual([])
  })

  test('changing what is the same changes nothing; every change makes a generation and tells the engine', async () => {
    const generations = async () => (await stored()).map(({ generation }) => generation)
    const told = async () => {
      const [{ id } = { id: '' }] = await stored()
      const messages = await api.db
        .select()
        .from(t.outbox)
        .where(eq(t.outbox.workflowId, `schedule:${id}`))
      return messages.map(({ kind }) => kind)
    }
    await put(lists[0]!)
    await put(lists[0]!)
    expect([await generations(), await told()]).toEqual([[1], ['schedule']])
    await put(lists[0]!, { ...daily, time: '07:00' })
    await call('POST', `/lists/${lists[0]}/schedule/pause`)
    await call('POST', `/lists/${lists[0]}/schedule/pause`)
    expect([await generations(), (await told()).length]).toEqual([[3], 3])
    expect((await put(lists[0]!, daily)).body.state).toBe('paused')
    const audit = await api.call('GET', '/v1/audit', { key: account.keys.admin })
    expect(
      audit.body.items
        .slice(0, 4)
        .map((each: { action: string }) => each.action)
        .toReversed(),
    ).toEqual(['schedule.create', 'schedule.update', 'schedule.pause', 'schedule.update'])
  })

  test('removing a list ends its schedule and its segments’, and frees the slots; their history stays', async () => {
    const segmentId = await addSegment(lists[1]!)
    await put(lists[1]!)
    expect((await call('PUT', `/segments/${segmentId}/schedule`, daily)).body).toMatchObject({
      slot: 2,
      segment: { id: segmentId, name: 'Berlin' },
    })
    expect((await call('DELETE', `/lists/${lists[1]}`)).status).toBe(204)
    expect(await planner()).toMatchObject({ free: 10, paused: [] })
    expect((await stored()).map(({ state, slot }) => [state, slot])).toEqual([
      ['removed', null],
      ['removed', null],
    ])
    expect((await call('GET', `/segments/${segmentId}/schedule`)).status).toBe(404)
  })

  test('removing a segment names its schedule, ends it and stops its run', async () => {
    const segmentId = await addSegment(lists[1]!)
    const { body: made } = await call('PUT', `/segments/${segmentId}/schedule`, daily)
    const run = { accountId: account.id, kind: 'sync', state: 'running', trigger: 'schedule', settings: {} } as const
    await api.db.insert(t.runs).values({ ...run, listId: lists[1]!, segmentId, workflowId: 'sync:of-segment' })
    const { body } = await call('DELETE', `/segments/${segmentId}`)
    expect(body.usedBy).toEqual([{ kind: 'schedule', id: made.id, name: 'Berlin' }])
    expect((await planner()).free).toBe(10)
    const cancelled = and(eq(t.outbox.kind, 'cancel'), eq(t.outbox.workflowId, 'sync:of-segment'))
    expect(await api.db.select().from(t.outbox).where(cancelled)).toHaveLength(1)
  })

  test('C3: a reset connector pauses all schedules, and they are resumed one by one', async () => {
    await fill(2)
    await call('POST', `/lists/${lists[1]}/schedule/pause`)
    await connections.reset(api.db, account.id)
    const { free, paused } = await planner()
    expect([free, paused.map((each: { pausedBy: string }) => each.pausedBy).toSorted()]).toEqual([
      10,
      ['person', 'reset'],
    ])
    expect((await call('POST', `/lists/${lists[0]}/schedule/resume`)).body.code).toBe('notConnected')
    await api.db.update(t.connections).set({ state: 'connected' }).where(eq(t.connections.id, connectionId))
    expect((await call('POST', `/lists/${lists[0]}/schedule/resume`)).body).toMatchObject({ slot: 1, pausedBy: null })
  })

  test('R18: a connection that needs reconfirming keeps its slots, and the planner says that they are held', async () => {
    await fill(1)
    await api.db.update(t.connections).set({ state: 'needsReconfirm' }).where(eq(t.connections.id, connectionId))
    expect(await planner()).toMatchObject({ free: 9, held: true })
    expect((await put(lists[1]!)).body.slot).toBe(2)
  })
})

describe('the planner', () => {
  test('shows ten slots with clashes and the last time, and paused schedules beside them', async () => {
    const morning = { ...daily, startDate: '2035-01-01', timeZone: 'Europe/Berlin' }
    const { body: first } = await put(lists[0]!, morning)
    const monday = { ...morning, frequency: 'weekly', daysOfWeek: ['monday'] }
    const { body: second } = await put(lists[1]!, { ...monday, time: '05:30', timeZone: 'UTC' })
    await put(lists[2]!, { ...morning, time: '09:00' })
    await put(lists[3]!)
    await call('POST', `/lists/${lists[3]}/schedule/pause`)
    const firing = { accountId: account.id, scheduleId: first.id, code: null }
    await api.db.insert(t.firings).values([
      { ...firing, localTime: '2034-12-30T06:30', dueAt: new Date('2034-12-30T05:30Z'), outcome: 'started' },
      {
        ...firing,
        localTime: '2034-12-31T06:30',
        dueAt: new Date('2034-12-31T05:30Z'),
        outcome: 'skipped',
        code: 'conflict',
      },
    ])
    const run = { accountId: account.id, kind: 'sync', trigger: 'api', settings: {}, listId: lists[2]! } as const
    const rows = [
      { ...run, state: 'running', workflowId: 'sync:a' },
      { ...run, state: 'queued', workflowId: 'sync:b' },
    ] as const
    const [working] = await api.db
      .insert(t.runs)
      .values([...rows])
      .returning()
    const { slots, free, paused, held } = await planner()
    expect(slots[2].schedule.activeRun).toEqual({ id: working!.id, kind: 'sync', state: 'running' })
    expect(slots[0].schedule.activeRun).toBeNull()
    expect([slots.length, free, held, paused.length]).toEqual([10, 7, false, 1])
    expect(slots.slice(3).every((each: { schedule: unknown }) => each.schedule === null)).toBe(true)
    const withSecond = { id: second.id, slot: 2, list: { id: lists[1], name: 'List 1' }, segment: null }
    expect(slots[0].schedule.clashes).toEqual([
      { at: '2035-01-01T05:30:00.000Z', localTime: '2035-01-01T06:30', with: [withSecond] },
    ])
    // in summer half past six in Berlin is half past four in UTC
    expect(slots[1].schedule.clashes).toHaveLength(5)
    expect(slots[2].schedule.clashes).toEqual([])
    expect(slots[0].schedule.lastFiring).toEqual({
      at: '2034-12-31T05:30:00.000Z',
      localTime: '2034-12-31T06:30',
      outcome: 'skipped',
      code: 'conflict',
      message: 'People of the list are linked to another CRM than the one that is connected.',
      remedy: expect.stringMatching(/\.$/) as string,
      run: null,
    })
  })
})

describe('S6: a schedule is saved with the settings', () => {
  const path = () => `/lists/${lists[0]}/sync`
  const read = async () => (await call('GET', path())).body
  const save = (body: Record<string, unknown>, key?: string) => call('PUT', path(), body, key)

  test('left out it stays, null ends it, and what is read can be sent back by a marketer', async () => {
    const { schedule: none, ...settings } = await read()
    expect(none).toBeNull()
    const saved = await save({ ...settings, schedule: daily })
    expect(saved.body.schedule).toMatchObject({ frequency: 'daily', time: '06:30', timeZone: 'UTC' })
    const { schedule, ...rest } = await read()
    expect(schedule).toEqual(saved.body.schedule)
    expect((await save(rest, account.keys.marketer)).body.schedule).toEqual(schedule)
    const back = await save(await read(), account.keys.marketer)
    expect([back.status, back.body.schedule]).toEqual([200, schedule])
    const refused = await save({ ...(await read()), schedule: null }, account.keys.marketer)
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden'])
    expect((await save({ ...(await read()), schedule: null })).body.schedule).toBeNull()
    expect((await planner()).free).toBe(10)
  })

  test('P2: so it is for a segment', async () => {
    const segment = `/segments/${await addSegment(lists[0]!)}`
    const { body: usual } = await call('GET', `${segment}/sync`)
    const saved = await call('PUT', `${segment}/sync`, { ...usual, schedule: daily })
    expect((await call('GET', `${segment}/schedule`)).body).toMatchObject({ slot: 1, ...saved.body.schedule })
    const refused = await call('PUT', `${segment}/sync`, { ...saved.body, schedule: null }, account.keys.marketer)
    expect(refused.body.code).toBe('forbidden')
    expect((await read()).schedule).toBeNull()
  })

  test('nothing is stored where no slot is free or the schedule is wrong', async () => {
    for (const listId of lists.slice(1, 11)) await put(listId)
    const before = await read()
    const push = { ...before.push, enabled: true }
    expect((await save({ ...before, push, schedule: daily })).body.code).toBe('slotsFull')
    const wrong = await save({ ...before, push, schedule: { ...daily, time: '7' } })
    expect(wrong.body.errors[0].path).toBe('schedule.time')
    expect(await read()).toEqual(before)
  })
})

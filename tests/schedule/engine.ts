import { Client, Connection, type ScheduleSpec as EngineSpec } from '@temporalio/client'
import { randomUUID } from 'node:crypto'
import { inject, onTestFinished } from 'vitest'
import { dueTimes, type ScheduleSpec } from '../../src/domain/schedule.ts'
import { calendarsOf } from '../../src/temporal/calendars.ts'

export const weekly: ScheduleSpec = {
  frequency: 'weekly',
  daysOfWeek: ['monday'],
  dayOfMonth: null,
  time: '06:30',
  everyHours: null,
  startDate: '2027-01-01',
  timeZone: 'Europe/Berlin',
}
export const daily: ScheduleSpec = { ...weekly, frequency: 'daily', daysOfWeek: [] }
export const monthly = (dayOfMonth: number | 'last'): ScheduleSpec => ({ ...daily, frequency: 'monthly', dayOfMonth })

/** when the specifications of the tests are made */
export const now = new Date('2026-11-26T00:00:00Z')

export const openEngine = () => {
  const connection = Connection.lazy({ address: inject('temporalAddress') })
  onTestFinished(() => connection.close())
  return new Client({ connection })
}

/** A paused schedule in the engine, until the test ends. */
export const createPaused = async (client: Client, spec: EngineSpec) => {
  const scheduleId = `test-${randomUUID()}`
  const action = { type: 'startWorkflow', workflowType: 'never', taskQueue: 'nobody', args: [] } as const
  const handle = await client.schedule.create({ scheduleId, spec, action, state: { paused: true } })
  onTestFinished(() => handle.delete())
  return handle
}

const stamp = (at: number) => ({ seconds: Math.floor(at / 1000) as never, nanos: 0 })

/** Milliseconds of all matching times after `from`, until `to`, as the server lists them. */
export const serverTimes = async (client: Client, scheduleId: string, from: Date, to: Date, sliceMs: number) => {
  const found: number[] = []
  for (let at = from.getTime(); at < to.getTime(); at += sliceMs) {
    const { startTime } = await client.schedule.workflowService.listScheduleMatchingTimes({
      namespace: 'default',
      scheduleId,
      startTime: stamp(at),
      endTime: stamp(Math.min(at + sliceMs, to.getTime())),
    })
    found.push(...startTime.map(({ seconds }) => Number(seconds) * 1000))
  }
  return found
}

export const ourTimes = (spec: ScheduleSpec, from: Date, to: Date): number[] => {
  const found: number[] = []
  for (const { at } of dueTimes(spec, from)) {
    if (at > to) return found
    found.push(at.getTime())
  }
  return found
}
export const specOf = (spec: ScheduleSpec) => calendarsOf(spec, now)

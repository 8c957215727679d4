import { asc, eq } from 'drizzle-orm'
import * as outbox from '../../src/db/outbox.ts'
import { alerts, firings, schedules } from '../../src/db/schema.ts'
import type { ScheduleSpec } from '../../src/domain/schedule.ts'
import type { Fairlead } from './fairlead.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** Daily at the minute that was so many minutes ago, in UTC. */
export const dailySpec = (minutesAgo: number, since = new Date(Date.now() - 40 * dayMs)): ScheduleSpec => ({
  frequency: 'daily',
  daysOfWeek: [],
  dayOfMonth: null,
  time: new Date(Date.now() - minutesAgo * minuteMs).toISOString().slice(11, 16),
  everyHours: null,
  startDate: since.toISOString().slice(0, 10),
  timeZone: 'UTC',
})

type Row = Partial<typeof schedules.$inferInsert> & { listId: string }

/** A schedule as the API stores it, active in slot 1 unless said otherwise; the engine is told with the next relay. */
export const addSchedule = async ({ db, accountId }: Fairlead, row: Row): Promise<string> =>
  db.transaction(async (tx) => {
    const values = { accountId, slot: 1, state: 'active' as const, spec: dailySpec(-120), ...row }
    const [added] = await tx.insert(schedules).values(values).returning({ id: schedules.id })
    await tellEngine(tx, accountId, added!.id)
    return added!.id
  })

const tellEngine = (tx: outbox.Transaction, accountId: string, id: string): Promise<void> =>
  outbox.insert(tx, { accountId, kind: 'schedule', name: 'apply', workflowId: `schedule:${id}` })

export const changeSchedule = ({ db, accountId }: Fairlead, id: string, row: Partial<typeof schedules.$inferInsert>) =>
  db.transaction(async (tx) => {
    const [now] = await tx.select().from(schedules).where(eq(schedules.id, id))
    await tx
      .update(schedules)
      .set({ ...row, generation: now!.generation + 1 })
      .where(eq(schedules.id, id))
    await tellEngine(tx, accountId, id)
  })

export const firingsOf = ({ db }: Fairlead, scheduleId: string) =>
  db.select().from(firings).where(eq(firings.scheduleId, scheduleId)).orderBy(asc(firings.dueAt))

export const alertsOf = ({ db }: Fairlead, subject: string) =>
  db.select().from(alerts).where(eq(alerts.subject, subject)).orderBy(asc(alerts.id))

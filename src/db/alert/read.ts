import { and, desc, eq, getTableColumns, sql } from 'drizzle-orm'
import { alertCause, type AlertShown, type SubjectType } from '../../domain/alert.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { alertDeliveries, alerts, connections, lists, messages, schedules, segments } from '../schema.ts'

/** Whoever has the problem: found by its id, whatever kind of thing it is. */
export const withSubjects = (db: Database | Transaction) =>
  db
    .select({
      ...getTableColumns(alerts),
      subjectType: sql<SubjectType>`case when ${schedules.id} is not null or ${alerts.kind} in ('scheduleMissed', 'scheduleRepaired') then 'schedule'
        when ${segments.id} is not null then 'segment' when ${messages.id} is not null then 'message' when ${alerts.kind} in ('connectionBroken', 'optOutsUnwritten') then 'connection' else 'list' end`,
      subjectName: sql<string | null>`coalesce(${segments.name}, ${lists.name}, ${messages.name})`,
      mail: sql<{ state: 'pending' | 'delivered' | 'failed'; error: string | null } | null>`(
        select jsonb_build_object('state', d.state, 'error', d.attempts -> -1 ->> 'error') from ${alertDeliveries} d
        where d.alert_id = ${alerts.id} and d.channel = 'mail' order by d.id desc limit 1)`,
    })
    .from(alerts)
    .leftJoin(schedules, and(eq(schedules.accountId, alerts.accountId), sql`${schedules.id}::text = ${alerts.subject}`))
    .leftJoin(
      segments,
      and(
        eq(segments.accountId, alerts.accountId),
        sql`${segments.id}::text = coalesce(${schedules.segmentId}::text, ${alerts.subject})`,
      ),
    )
    .leftJoin(
      lists,
      and(
        eq(lists.accountId, alerts.accountId),
        sql`${lists.id}::text = coalesce(${schedules.listId}::text, ${segments.listId}::text, ${alerts.subject})`,
      ),
    )
    .leftJoin(messages, and(eq(messages.accountId, alerts.accountId), sql`${messages.id}::text = ${alerts.subject}`))
    .leftJoin(
      connections,
      and(eq(connections.accountId, alerts.accountId), sql`${connections.id}::text = ${alerts.subject}`),
    )

export type AlertRow = Awaited<ReturnType<typeof withSubjects>>[number]

export const shownOf = (row: AlertRow): AlertShown => ({
  id: row.id,
  kind: row.kind,
  state: row.resolvedAt === null ? 'open' : 'resolved',
  subject: { type: row.subjectType, id: row.subject, name: row.subjectName },
  ...alertCause(row.kind, row.details),
  details: row.details,
  openedAt: row.openedAt.toISOString(),
  resolvedAt: row.resolvedAt?.toISOString() ?? null,
})

type After = { open: boolean; id: string }

/** Open ones first, then the newest. */
export const page = (
  db: Database,
  accountId: string,
  { limit, after }: { limit: number; after?: After },
): Promise<AlertRow[]> =>
  withSubjects(db)
    .where(
      and(
        eq(alerts.accountId, accountId),
        after === undefined
          ? undefined
          : sql`(${alerts.resolvedAt} is null, ${alerts.id}) < (${after.open}, ${after.id}::uuid)`,
      ),
    )
    .orderBy(sql`(${alerts.resolvedAt} is null) desc`, desc(alerts.id))
    .limit(limit)

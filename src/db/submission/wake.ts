import { eq, sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { connections, drainers, forms, submissions } from '../schema.ts'

/** The drainer of an account's connection; without one, of what stays here. */
export type Drainer = { accountId: string; connectionId?: string }

const idOf = ({ accountId, connectionId }: Drainer): string => connectionId ?? accountId
export const workflowIdOf = (drainer: Drainer): string => `forms:${idOf(drainer)}`

const wake = async (tx: outbox.Transaction, drainer: Drainer): Promise<void> =>
  outbox.insert(tx, {
    accountId: drainer.accountId,
    kind: 'wake',
    name: 'drainForms',
    workflowId: workflowIdOf(drainer),
    input: drainer,
  })

/**
 * In the transaction that opens a submission: wakes its drainer, unless that one is about to look by itself. One that goes to sleep meanwhile waits for
 * this transaction, and then sees the submission. A thousand submissions are so a handful of messages.
 */
export const wakeDrainer = async (tx: outbox.Transaction, drainer: Drainer): Promise<void> => {
  const [found] = await tx
    .select({ awake: sql<boolean>`${drainers.awakeUntil} > now()` })
    .from(drainers)
    .where(eq(drainers.id, idOf(drainer)))
    .for('share')
  if (found?.awake !== true) await wake(tx, drainer)
}

/** The drainer looks by itself for so long: until it says so again, or goes to sleep. */
export const stayAwake = async (db: Database, drainer: Drainer, ms: number): Promise<void> => {
  const awakeUntil = sql`now() + make_interval(secs => ${ms / 1000})` as unknown as Date
  await db
    .insert(drainers)
    .values({ id: idOf(drainer), accountId: drainer.accountId, awakeUntil })
    .onConflictDoUpdate({ target: drainers.id, set: { awakeUntil } })
}

/** From now on it must be woken. What was opened before can be seen when this is done: it is to be looked for once more. */
export const fallAsleep = async (db: Database, drainer: Drainer): Promise<void> => {
  // waits for those who have read that it is awake and have not committed yet: they hold the row
  await db
    .update(drainers)
    .set({ awakeUntil: null })
    .where(eq(drainers.id, idOf(drainer)))
}

const isOpen = sql`${submissions.state} in ('received', 'pushing', 'waiting', 'held')`

/** Wakes whoever drains what an account has open: after its connection was reconfirmed (C2), made anew or enabled again. */
export const wakeOpen = async (tx: outbox.Transaction, accountId: string): Promise<void> => {
  const [open] = await tx
    .select({ connectionId: connections.id })
    .from(submissions)
    .leftJoin(connections, sql`${connections.accountId} = ${submissions.accountId} and ${connections.active}`)
    .where(sql`${submissions.accountId} = ${accountId}::uuid and ${isOpen}`)
    .limit(1)
  if (open !== undefined) await wake(tx, { accountId, ...(open.connectionId && { connectionId: open.connectionId }) })
}

/** Drainers of submissions that were due so long ago that somebody should have taken them up. What waits for a connection to be made waits for that. */
export const overdue = async (db: Database, seconds: number): Promise<Drainer[]> => {
  const rows = await db
    .selectDistinct({ accountId: submissions.accountId, connectionId: connections.id })
    .from(submissions)
    .leftJoin(connections, sql`${connections.accountId} = ${submissions.accountId} and ${connections.active}`)
    .where(
      sql`${isOpen} and ${submissions.dueAt} < now() - make_interval(secs => ${seconds}) and (${submissions.code} is distinct from 'notConnected' or ${connections.state} in ('connected', 'needsReconfirm'))`,
    )
  return rows.map(({ accountId, connectionId }) => ({ accountId, ...(connectionId !== null && { connectionId }) }))
}

/**
 * Opens rejected submissions again, by hand: those that are named, or all of a form with a cause. From now on the policy and the defaults of the form as
 * it is now hold for them, so that a form that was mended mends them. Answers how many.
 */
export const reopen = (
  db: Database | outbox.Transaction,
  accountId: string,
  which: { ids: string[] } | { formId: string; code?: string },
): Promise<number> =>
  db.transaction(async (tx) => {
    const chosen =
      'ids' in which
        ? sql`s.id = any(string_to_array(${which.ids.join('\n')}::text, E'\n')::uuid[])`
        : sql`s.form_id = ${which.formId}::uuid and ${which.code === undefined ? sql`true` : sql`s.code = ${which.code}`}`
    const opened = await tx.execute<{ id: string }>(sql`
      update ${submissions} s set state = 'received', code = null, detail = null, crm = null, warnings = '[]', tries = 0, due_at = now(),
        results = (select coalesce(jsonb_agg(r || '{"isEarlier": true}'), '[]') from jsonb_array_elements(s.results) r),
        settled_at = null, push_version = f.version
      from ${forms} f
      where f.id = s.form_id and s.account_id = ${accountId}::uuid and s.state = 'rejected' and s.code is distinct from 'erased' and ${chosen} returning s.id::text`)
    if (opened.length > 0) await wakeOpen(tx, accountId)
    return opened.length
  })

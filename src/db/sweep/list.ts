import { and, eq, isNotNull, isNull, inArray, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { entityOf } from '../../domain/list.ts'
import type { RunSettings, RunTrigger } from '../../domain/run.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import type { Transaction } from '../outbox.ts'
import { lists, runs } from '../schema.ts'

/** The CRM user of the list's last complete sweep. */
export const sweptByUser = async (db: Database, accountId: string, listId: string): Promise<string | null> => {
  const [list] = await db
    .select({ user: lists.sweptByUser })
    .from(lists)
    .where(and(eq(lists.accountId, accountId), eq(lists.id, listId)))
  return list?.user ?? null
}

type Options = { trigger: RunTrigger; settings?: RunSettings }

/**
 * Starts a key sweep of an imported list (R15): finds what was deleted in the CRM and what is missing here. `created` is false when a
 * run of the list is under way: that run is the answer (R19). Errors: notFound, notConnected, conflict for a plain list.
 */
export const request = (
  db: Database | Transaction,
  accountId: string,
  listId: string,
  { trigger, settings = {} }: Options = { trigger: 'api' },
): Promise<{ runId: string; created: boolean }> =>
  db.transaction(async (tx) => {
    await connections.lockAccount(tx, accountId)
    const [list] = await tx
      .select()
      .from(lists)
      .where(and(eq(lists.accountId, accountId), eq(lists.id, listId), isNull(lists.removedAt)))
    if (list === undefined) throw new FairleadError('notFound')
    const entity = entityOf(list.kind)
    if (entity === null) {
      throw new FairleadError('conflict', {
        detail: 'A plain list has no counterpart in the CRM.',
        remedy: 'Sweep an imported list.',
      })
    }
    const connection = await connections.findActive(tx, accountId)
    if (connection === undefined || connection.id !== list.connectionId || connection.state === 'reset') {
      throw new FairleadError('notConnected')
    }
    const [busy] = await tx
      .select({ id: runs.id })
      .from(runs)
      .where(and(eq(runs.listId, listId), inArray(runs.state, ['queued', 'running', 'held'])))
    if (busy !== undefined) return { runId: busy.id, created: false }
    const [run] = await tx
      .insert(runs)
      .values({
        accountId,
        kind: 'sweep',
        trigger,
        listId,
        connectionId: connection.id,
        entity,
        settings,
        workflowId: '',
      })
      .returning({ id: runs.id })
    const workflowId = `sync:${run!.id}`
    await tx.update(runs).set({ workflowId }).where(eq(runs.id, run!.id))
    await outbox.insert(tx, {
      accountId,
      kind: 'start',
      name: 'syncList',
      workflowId,
      input: { accountId, runId: run!.id, listId, connectionId: connection.id, kind: 'sweep' },
    })
    return { runId: run!.id, created: true }
  })

/**
 * A person confirms what a sweep held back as massDeletion: another sweep marks them. `created` is false when it is under way already.
 * Errors: notFound, nothingToConfirm, runActive while another run of the list works, and those of `request`.
 */
export const confirm = async (
  db: Database | Transaction,
  accountId: string,
  runId: string,
): Promise<{ runId: string; created: boolean }> => {
  const [run] = await db
    .select({ listId: runs.listId, error: runs.error })
    .from(runs)
    .where(and(eq(runs.accountId, accountId), eq(runs.id, runId)))
  if (run === undefined) throw new FairleadError('notFound')
  if (run.error?.code !== 'massDeletion' || run.listId === null) throw new FairleadError('nothingToConfirm')
  const [newer] = await db
    .select({ id: runs.id })
    .from(runs)
    .where(
      and(
        eq(runs.listId, run.listId),
        sql`${runs.id} > ${runId}`,
        eq(runs.kind, 'sweep'),
        isNotNull(runs.finishedAt),
        sql`(${runs.state} = 'succeeded' or ${runs.settings} ? 'confirmDeletions')`,
      ),
    )
    .limit(1)
  if (newer !== undefined) throw new FairleadError('nothingToConfirm', { detail: 'A later sweep has settled it.' })
  const started = await request(db, accountId, run.listId, {
    trigger: 'api',
    settings: { confirmDeletions: run.error.gone ?? 0 },
  })
  if (started.created) return started
  const [{ settings } = { settings: {} as RunSettings }] = await db
    .select({ settings: runs.settings })
    .from(runs)
    .where(eq(runs.id, started.runId))
  if (settings.confirmDeletions === undefined) throw new FairleadError('runActive', { extra: { runId: started.runId } })
  return started
}

/** Imported lists whose last sweep or import began longer ago than this: due for the weekly sweep (O6). */
export const pageDue = (db: Database, days: number) =>
  db
    .select({ accountId: lists.accountId, listId: lists.id })
    .from(lists)
    .where(
      and(
        isNull(lists.removedAt),
        isNotNull(lists.connectionId),
        sql`exists (select from connections c join accounts a on a.id = c.account_id
          where c.id = ${lists.connectionId} and c.active and c.state = 'connected' and a.connector_enabled)`,
        sql`not exists (select from runs r where r.list_id = ${lists.id} and r.kind in ('import', 'sweep')
          and (r.state in ('queued', 'running', 'held') or r.started_at > now() - make_interval(days => ${days})))`,
      ),
    )
    .orderBy(lists.id)
    .limit(100)

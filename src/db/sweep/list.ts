import { and, eq, isNotNull, isNull, ne, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { comparesKeys, type RunSettings } from '../../domain/run.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { lists, runs } from '../schema.ts'
import { request } from '../sync/request.ts'

/** The CRM user of the list's last complete sweep. */
export const sweptByUser = async (db: Database, accountId: string, listId: string): Promise<string | null> => {
  const [list] = await db
    .select({ user: lists.sweptByUser })
    .from(lists)
    .where(and(eq(lists.accountId, accountId), eq(lists.id, listId)))
  return list?.user ?? null
}

/**
 * A person confirms what a sweep held back as massDeletion: another sweep marks them. `created` is false when it is under way already.
 * Errors: notFound, nothingToConfirm, runActive while another run of the list works, and those of sync/request.ts.
 */
export const confirm = async (
  db: Database | Transaction,
  accountId: string,
  runId: string,
): Promise<{ runId: string; created: boolean }> => {
  const [run] = await db
    .select({ listId: runs.listId, kind: runs.kind, error: runs.error })
    .from(runs)
    .where(and(eq(runs.accountId, accountId), eq(runs.id, runId)))
  if (run === undefined) throw new FairleadError('notFound')
  // syncs, previews and undos say so too, without having looked at everybody: a sweep does
  if (run.error?.code !== 'massDeletion' || !comparesKeys(run.kind) || run.listId === null)
    throw new FairleadError('nothingToConfirm')
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
    kind: 'sweep',
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
        ne(lists.kind, 'plain'),
        sql`exists (select from connections c join accounts a on a.id = c.account_id
          where c.id = ${lists.connectionId} and c.active and c.state = 'connected' and a.connector_enabled)`,
        sql`not exists (select from runs r where r.list_id = ${lists.id} and r.kind in ('import', 'sweep', 'verify')
          and (r.state in ('queued', 'running', 'held') or r.started_at > now() - make_interval(days => ${days})))`,
      ),
    )
    .orderBy(lists.id)
    .limit(100)

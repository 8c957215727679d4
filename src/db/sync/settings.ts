import { and, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { GivenSchedule, ScheduleSpec } from '../../domain/schedule.ts'
import { changedParts, readSettings, widens, type SettingsOf } from '../../domain/settings.ts'
import { defaultSync, type SyncSettings } from '../../domain/sync.ts'
import * as audits from '../audit.ts'
import * as columns from '../column.ts'
import type { Database } from '../database.ts'
import * as accounts from '../account.ts'
import * as lists from '../list.ts'
import type { Transaction } from '../outbox.ts'
import * as schedules from '../schedule.ts'
import { lists as listRows, syncSettings } from '../schema.ts'
import * as segments from '../segment/read.ts'

export type Stored = SyncSettings & { version: number }
/** Settings with what they are checked against and shown by. */
export type Described = { settings: Stored; of: SettingsOf; schedule: ScheduleSpec | null }

const noPull = { enabled: false, addNew: false, updateExisting: false, excludedFields: [] }

/**
 * What a list or one of its segments pushes and pulls, by column key; version 0 until it is saved for the first time. A plain list never pulls, nor does
 * a segment. Errors: notFound.
 */
export const get = async (
  db: Database | Transaction,
  accountId: string,
  listId: string,
  segmentId: string | null = null,
): Promise<Stored> => {
  const [found] = await db
    .select({
      kind: listRows.kind,
      version: syncSettings.version,
      push: syncSettings.push,
      pull: syncSettings.pull,
    })
    .from(listRows)
    .leftJoin(syncSettings, eq(syncSettings.holderId, segmentId === null ? listRows.id : sql`${segmentId}::uuid`))
    .where(and(eq(listRows.accountId, accountId), eq(listRows.id, listId)))
  if (found === undefined) throw new FairleadError('notFound')
  const usual = defaultSync()
  return {
    version: found.version ?? 0,
    push: found.push ?? usual.push,
    pull: found.pull ?? (found.kind === 'plain' || segmentId !== null ? noPull : usual.pull),
  }
}

const describeAs = async (
  db: Database | Transaction,
  list: lists.List,
  segmentId: string | null,
  settings: Stored,
): Promise<Described> => {
  const known = await columns.all(db, list.accountId, list.id)
  const live = (await columns.liveFields(db, list.accountId, list)) ?? {}
  const schedule = await schedules.find(db, list.accountId, { listId: list.id, segmentId })
  return {
    settings,
    schedule: schedule?.spec ?? null,
    of: { kind: list.kind, ofSegment: segmentId !== null, columns: known, live },
  }
}

/** Errors: notFound, also for a list that was removed. */
export const describe = async (
  db: Database,
  accountId: string,
  listId: string,
  segmentId: string | null = null,
): Promise<Described> => {
  const list = await lists.get(db, accountId, listId)
  return describeAs(db, list, segmentId, await get(db, accountId, listId, segmentId))
}

/**
 * Settings by the names of columns, for the version that the person has read. `schedule`: left out, it stays as it is; null ends it; only who
 * `mayChangeSchedule` may send another one than the stored one.
 */
export type Asked = SyncSettings & {
  version: number
  addColumns: readonly string[]
  schedule?: GivenSchedule | null
  mayChangeSchedule?: boolean
}

/**
 * S6: stores the settings of a list, or of one of its segments, as a whole with the columns that they add and the schedule, or nothing. Pulling more
 * than before is remembered for the next sync.
 * Errors: notFound, conflict for another version than the stored one, and those of readSettings, columns.addBound and schedules.store.
 */
export const save = (
  db: Database,
  accountId: string,
  listId: string,
  asked: Asked,
  actor: audits.Actor,
  segmentId: string | null = null,
): Promise<Described> =>
  db.transaction(async (tx) => {
    // first of all, as everybody does who takes both
    if (asked.schedule !== undefined) await accounts.lock(tx, accountId, 'no key update')
    const list = await columns.lockList(tx, accountId, listId)
    // removed since it was read
    if (segmentId !== null) await segments.get(tx, accountId, segmentId)
    const before = await get(tx, accountId, listId, segmentId)
    if (asked.version !== before.version) {
      const detail = `The settings are at version ${before.version}; these were made from version ${asked.version}.`
      throw new FairleadError('conflict', { detail, extra: { version: before.version } })
    }
    const added = await columns.addBound(tx, list, asked.addColumns, (index) => `addColumns[${index}]`)
    const { of } = await describeAs(tx, list, segmentId, before)
    const { push, pull } = readSettings(asked, of, before)
    const settings = { push, pull, version: before.version + 1 }
    await tx
      .insert(syncSettings)
      .values({ holderId: segmentId ?? listId, accountId, listId, segmentId, ...settings })
      .onConflictDoUpdate({ target: syncSettings.holderId, set: { ...settings, updatedAt: new Date() } })
    if (segmentId === null && widens(before.pull, pull)) await columns.noteWidening(tx, listId)
    const changed = [...changedParts(before, settings), ...(added.length > 0 ? ['addColumns'] : [])]
    const details = { version: settings.version, changed }
    await audits.insert(tx, accountId, actor, {
      action: 'sync.update',
      targetId: segmentId ?? listId,
      details,
    })
    if (asked.schedule !== undefined) {
      const given = { given: asked.schedule, at: 'schedule.', mayChange: asked.mayChangeSchedule }
      await schedules.store(tx, accountId, { listId, segmentId }, given, actor)
    }
    return describeAs(tx, list, segmentId, settings)
  })

import { and, eq, isNotNull, sql } from 'drizzle-orm'
import { isDeepStrictEqual } from 'node:util'
import { FairleadError } from '../../domain/errors.ts'
import { readSchedule, slotCount, type GivenSchedule } from '../../domain/schedule.ts'
import * as accounts from '../account.ts'
import { resolve } from '../alert.ts'
import * as audits from '../audit.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import * as lists from '../list.ts'
import type { Transaction } from '../outbox.ts'
import { schedules } from '../schema.ts'
import { refuseOtherCrm } from '../sync/request.ts'
import { find, get, type Holder, type Schedule } from './find.ts'
import { named } from './planner.ts'
import { change, tell } from './tell.ts'

type Db = Database | Transaction
const lock = (tx: Transaction, accountId: string) => accounts.lock(tx, accountId, 'no key update')

const note = (
  tx: Transaction,
  { id, accountId, listId, segmentId }: Schedule,
  actor: audits.Actor,
  action: audits.Action,
): Promise<void> => {
  const details = { listId, ...(segmentId === null ? {} : { segmentId }) }
  return audits.insert(tx, accountId, actor, { action, targetId: id, details })
}

/** The lowest free slot; the account is locked, and the index of slots has the last word. Errors: slotsFull with those who hold them. */
const takeSlot = async (tx: Transaction, accountId: string): Promise<number> => {
  const taken = await tx
    .select({ slot: schedules.slot })
    .from(schedules)
    .where(and(eq(schedules.accountId, accountId), isNotNull(schedules.slot)))
  const held = new Set(taken.map(({ slot }) => slot))
  for (let slot = 1; slot <= slotCount; slot += 1) if (!held.has(slot)) return slot
  const holders = (await named(tx, accountId)).filter(({ slot }) => slot !== null)
  const slots = holders.map(({ slot, list, segment }) => ({ slot, list, segment }))
  throw new FairleadError('slotsFull', { extra: { slots } })
}

/** As a run would be refused. Errors: notConnected, also where an imported list came from another CRM; conflict for a plain one that was pushed to another. */
const refuseWithoutCrm = async (tx: Transaction, accountId: string, { listId }: Holder): Promise<void> => {
  const list = await lists.get(tx, accountId, listId)
  const connection = await connections.findActive(tx, accountId)
  const isReady = connection?.state === 'connected' || connection?.state === 'needsReconfirm'
  if (!isReady) throw new FairleadError('notConnected')
  await refuseOtherCrm(tx, list, connection.id)
}

const create = async (
  tx: Transaction,
  accountId: string,
  holder: Holder,
  spec: Schedule['spec'],
): Promise<Schedule> => {
  await refuseWithoutCrm(tx, accountId, holder)
  const slot = await takeSlot(tx, accountId)
  const [made] = await tx
    .insert(schedules)
    .values({ accountId, ...holder, slot, state: 'active', spec, accountedUntil: sql`clock_timestamp()` })
    .returning()
  await tell(tx, made!)
  return made!
}

const end = async (tx: Transaction, found: Schedule, actor: audits.Actor): Promise<void> => {
  await change(tx, found, { state: 'removed', slot: null, pausedBy: null })
  await resolve(tx, found.accountId, { kind: 'scheduleMissed', subject: found.id })
  await note(tx, found, actor, 'schedule.remove')
}

type Asked = { given: GivenSchedule | null; at?: string; mayChange?: boolean }

/**
 * Gives a list or segment a schedule, changes the one that it has, or ends it with null; what changes nothing is nothing. A paused one stays paused. `at` is
 * where the schedule stands in the request. Errors: notFound, invalidInput, notConnected, conflict, slotsFull; forbidden for a change by whom `mayChange` excludes.
 */
export const store = async (
  tx: Transaction,
  accountId: string,
  holder: Holder,
  { given, at, mayChange = true }: Asked,
  actor: audits.Actor,
): Promise<Schedule | undefined> => {
  await lock(tx, accountId)
  const { timeZone } = await accounts.get(tx, accountId)
  const spec = given === null ? undefined : readSchedule(given, { timeZone, now: new Date(), at })
  const found = await find(tx, accountId, holder)
  if (isDeepStrictEqual(found?.spec, spec)) return found
  if (!mayChange) {
    const detail = 'The schedule differs from the stored one; schedules are changed by administrators only.'
    throw new FairleadError('forbidden', { detail, remedy: 'Leave `schedule` out, or send it as it was read.' })
  }
  if (spec === undefined) {
    await end(tx, found!, actor)
    return undefined
  }
  const stored = found === undefined ? await create(tx, accountId, holder, spec) : await change(tx, found, { spec })
  await note(tx, stored, actor, found === undefined ? 'schedule.create' : 'schedule.update')
  return stored
}

type Find = (tx: Transaction) => Promise<Holder>

/** Errors: those of `store`. */
export const put = (
  db: Db,
  accountId: string,
  holderOf: Find,
  given: GivenSchedule,
  actor: audits.Actor,
): Promise<Schedule> =>
  db.transaction(async (tx) => {
    await lock(tx, accountId)
    const stored = await store(tx, accountId, await holderOf(tx), { given }, actor)
    return stored!
  })

/** Locks the account first, as everybody does, and looks then: what was removed meanwhile is not changed any more. */
const changing = <T>(
  db: Db,
  accountId: string,
  holderOf: Find,
  work: (tx: Transaction, found: Schedule) => Promise<T>,
): Promise<T> =>
  db.transaction(async (tx) => {
    await lock(tx, accountId)
    return work(tx, await get(tx, accountId, await holderOf(tx)))
  })

/** R18: the slot is free for others. Pausing twice is pausing once. Errors: notFound. */
export const pause = (db: Db, accountId: string, holderOf: Find, actor: audits.Actor): Promise<Schedule> =>
  changing(db, accountId, holderOf, async (tx, found) => {
    if (found.state === 'paused') return found
    const paused = await change(tx, found, { state: 'paused', slot: null, pausedBy: 'person' })
    await note(tx, paused, actor, 'schedule.pause')
    return paused
  })

/** Takes a slot again. Errors: notFound, notConnected, conflict, slotsFull. */
export const resume = (db: Db, accountId: string, holderOf: Find, actor: audits.Actor): Promise<Schedule> =>
  changing(db, accountId, holderOf, async (tx, found) => {
    if (found.state === 'active') return found
    await refuseWithoutCrm(tx, accountId, found)
    const slot = await takeSlot(tx, accountId)
    const resumed = await change(tx, found, { state: 'active', slot, pausedBy: null })
    await note(tx, resumed, actor, 'schedule.resume')
    return resumed
  })

/** Its firings stay. Errors: notFound. */
export const remove = (db: Db, accountId: string, holderOf: Find, actor: audits.Actor): Promise<void> =>
  changing(db, accountId, holderOf, (tx, found) => end(tx, found, actor))

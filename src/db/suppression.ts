import { and, desc, eq, inArray, isNotNull, isNull, lt, sql } from 'drizzle-orm'
import type { Role } from '../domain/account.ts'
import { FairleadError } from '../domain/errors.ts'
import { checkLift, isOptOut, type SuppressionReason, type SuppressionSource } from '../domain/suppression.ts'
import * as audits from './audit.ts'
import type { Database } from './database.ts'
import { emailKeyOf, hashKeyOf } from './emailKey.ts'
import { heldErasedAmong } from './erasure/known.ts'
import { queue } from './optOut/queue.ts'
import type { Transaction } from './outbox.ts'
import { suppressions } from './schema.ts'
import type { SecretBox } from './secret.ts'

export type Suppression = typeof suppressions.$inferSelect

export type NewSuppression = {
  /** a valid address as it was given */
  email: string
  reason: SuppressionReason
  source: SuppressionSource
  evidence: string | null
}

const tries = 3
const active = isNull(suppressions.liftedAt)
const idOf = ({ emailKey, source }: Pick<Suppression, 'emailKey' | 'source'>): string =>
  `${emailKey.toString('hex')} ${source}`

export type Keyed = NewSuppression & { emailKey: Buffer }
/** Of an erased person only the hash is kept (R40). */
type Stored = Omit<Keyed, 'email'> & { email: string | null }

/** Sorted by address, so that two who suppress the same ones never wait for each other. */
const byId = (rows: readonly Stored[]): Map<string, Stored> => {
  const found = new Map<string, Stored>()
  for (const each of rows) if (!found.has(idOf(each))) found.set(idOf(each), each)
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const insertOnce = async (
  tx: Transaction,
  accountId: string,
  { apiKeyId }: audits.Actor,
  rows: readonly Stored[],
): Promise<{ added: Suppression[]; there: Suppression[] }> => {
  const values = rows.map((row) => ({ ...row, accountId, createdBy: apiKeyId }))
  const added = await tx.insert(suppressions).values(values).onConflictDoNothing().returning()
  const done = new Set(added.map(idOf))
  const others = rows.filter((row) => !done.has(idOf(row))).map(({ emailKey }) => emailKey)
  if (others.length === 0) return { added, there: [] }
  const there = await tx
    .select()
    .from(suppressions)
    .where(and(eq(suppressions.accountId, accountId), inArray(suppressions.emailKey, others), active))
  return { added, there }
}

/** One line for many, and never an address. */
const audit = async (tx: Transaction, accountId: string, actor: audits.Actor, made: readonly Suppression[]) => {
  const [first] = made
  if (first === undefined) return
  const one = { targetId: first.id, details: { reason: first.reason, source: first.source } }
  const what = made.length === 1 ? one : { details: { count: made.length } }
  await audits.insert(tx, accountId, actor, { action: 'suppression.create', ...what })
}

/** What the person has said goes to the CRM, also where the address was suppressed for another reason before. */
const tellCrm = async (
  tx: Transaction,
  accountId: string,
  rows: readonly Stored[],
  found: ReadonlyMap<string, Suppression>,
): Promise<void> => {
  const wishes = rows.filter(isOptOut).map(({ emailKey, email, source }) => ({
    suppressionId: found.get(idOf({ emailKey, source }))!.id,
    emailKey,
    email,
    doNotEmail: true,
  }))
  await queue(tx, accountId, wishes)
}

export type Inserted = { suppression: Suppression; created: boolean }

/**
 * Suppresses addresses (R34), one active row for each address and source: what is there already stays as it is. Opt-outs are on their way to the CRM with
 * it. Answers a row for each one given, in their order; `created` where it was made by it.
 */
export const insertIn = async (
  tx: Transaction,
  accountId: string,
  given: readonly Keyed[],
  actor: audits.Actor,
): Promise<Inserted[]> => {
  const erased = await heldErasedAmong(
    tx,
    accountId,
    given.map(({ emailKey }) => emailKey.toString('hex')),
  )
  const rows: Stored[] = given.map((row) =>
    erased.has(row.emailKey.toString('hex')) ? { ...row, email: null, evidence: null } : row,
  )
  const open = byId(rows)
  const found = new Map<string, Suppression>()
  const made: Suppression[] = []
  // One that was there may be lifted before it is read.
  for (let left = tries; open.size > 0 && left > 0; left -= 1) {
    const { added, there } = await insertOnce(tx, accountId, actor, [...open.values()])
    made.push(...added)
    for (const each of [...added, ...there]) if (open.delete(idOf(each))) found.set(idOf(each), each)
  }
  if (open.size > 0) throw new FairleadError('overloaded', { retryAfterMs: 1000 })
  await audit(tx, accountId, actor, made)
  await tellCrm(tx, accountId, rows, found)
  const created = new Set(made.map(idOf))
  return rows.map((row) => ({ suppression: found.get(idOf(row))!, created: created.delete(idOf(row)) }))
}

/** The same in a transaction of its own. */
export const insert = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  rows: readonly NewSuppression[],
  actor: audits.Actor,
): Promise<Inserted[]> => {
  const hashKey = await hashKeyOf(db, secrets, accountId)
  const keyed = rows.map((row) => ({ ...row, emailKey: emailKeyOf(hashKey, row.email)! }))
  return db.transaction((tx) => insertIn(tx, accountId, keyed, actor))
}

export type Query = {
  /** those of one address */
  email?: string
  /** lifted ones, active ones, or both */
  lifted?: boolean
  limit: number
  /** the id of the last one seen */
  before?: string
}

/** Newest first. */
export const page = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  { email, lifted, limit, before }: Query,
): Promise<Suppression[]> => {
  const emailKey = email === undefined ? undefined : emailKeyOf(await hashKeyOf(db, secrets, accountId), email)
  if (emailKey === null) return []
  return db
    .select()
    .from(suppressions)
    .where(
      and(
        eq(suppressions.accountId, accountId),
        emailKey && eq(suppressions.emailKey, emailKey),
        lifted === undefined ? undefined : lifted ? isNotNull(suppressions.liftedAt) : active,
        before === undefined ? undefined : lt(suppressions.id, before),
      ),
    )
    .orderBy(desc(suppressions.id))
    .limit(limit)
}

/** Errors: notFound. */
export const get = async (db: Database, accountId: string, suppressionId: string): Promise<Suppression> => {
  const [found] = await db
    .select()
    .from(suppressions)
    .where(and(eq(suppressions.accountId, accountId), eq(suppressions.id, suppressionId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** The active ones of an address, locked, oldest first. */
export const lockActive = (tx: Transaction, accountId: string, emailKey: Buffer): Promise<Suppression[]> =>
  tx
    .select()
    .from(suppressions)
    .where(and(eq(suppressions.accountId, accountId), eq(suppressions.emailKey, emailKey), active))
    .orderBy(suppressions.id)
    .for('update')

/**
 * R34: ends active suppressions of one address with evidence. `all`: its active ones, locked. Where nobody's opt-out holds any more, the CRM is told
 * `false`; `overCrm`: also where the CRM has an opt-out of its own.
 */
export const liftIn = async (
  tx: Transaction,
  accountId: string,
  { all, ended, evidence, overCrm }: { all: Suppression[]; ended: Suppression[]; evidence: string; overCrm: boolean },
  actor: audits.Actor,
): Promise<Suppression[]> => {
  if (ended.length === 0) return []
  const ids = ended.map(({ id }) => id)
  const lifted = await tx
    .update(suppressions)
    .set({ liftedAt: sql`now()`, liftedBy: actor.apiKeyId, liftEvidence: evidence })
    .where(inArray(suppressions.id, ids))
    .returning()
  for (const { id, reason, source } of ended)
    await audits.insert(tx, accountId, actor, { action: 'suppression.lift', targetId: id, details: { reason, source } })
  const stay = all.filter(({ id }) => !ids.includes(id))
  const isHeld = stay.some((each) => isOptOut(each) || (!overCrm && each.source === 'crm'))
  const told = ended.find(isOptOut)
  if (told !== undefined && !isHeld) {
    const { id: suppressionId, emailKey, email } = told
    await queue(tx, accountId, [{ suppressionId, emailKey, email, doNotEmail: false }])
  }
  return lifted
}

/**
 * R34: ends a suppression for good reason; others of the address stay. One that was lifted before stays as it is.
 * Errors: notFound, forbidden, suppressionOfCrm.
 */
export const lift = (
  db: Database,
  accountId: string,
  suppressionId: string,
  { evidence, role }: { evidence: string; role: Role },
  actor: audits.Actor,
): Promise<Suppression> =>
  db.transaction(async (tx) => {
    const its = and(eq(suppressions.accountId, accountId), eq(suppressions.id, suppressionId))
    const [found] = await tx.select().from(suppressions).where(its)
    if (found === undefined) throw new FairleadError('notFound')
    checkLift(found.source, role)
    const all = await lockActive(tx, accountId, found.emailKey)
    const ended = all.filter(({ id }) => id === suppressionId)
    const [lifted] = await liftIn(tx, accountId, { all, ended, evidence, overCrm: false }, actor)
    return lifted ?? (await tx.select().from(suppressions).where(its))[0]!
  })

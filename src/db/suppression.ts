import { and, desc, eq, inArray, isNotNull, isNull, lt, sql } from 'drizzle-orm'
import type { KeyObject } from 'node:crypto'
import type { Role } from '../domain/account.ts'
import { FairleadError } from '../domain/errors.ts'
import { checkLift, type SuppressionReason, type SuppressionSource } from '../domain/suppression.ts'
import * as audits from './audit.ts'
import type { Database } from './database.ts'
import { emailKeyOf, hashKeyOf } from './emailKey.ts'
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

type Keyed = NewSuppression & { emailKey: Buffer }

/** Sorted by address, so that two who suppress the same ones never wait for each other. */
const keyed = (hashKey: KeyObject, rows: readonly NewSuppression[]): Map<string, Keyed> => {
  const found = new Map<string, Keyed>()
  for (const row of rows) {
    const each = { ...row, emailKey: emailKeyOf(hashKey, row.email)! }
    if (!found.has(idOf(each))) found.set(idOf(each), each)
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const insertOnce = async (
  tx: Transaction,
  accountId: string,
  { apiKeyId }: audits.Actor,
  rows: readonly Keyed[],
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

/**
 * Suppresses addresses (R34), one active row for each address and source: what is there already stays as it is. Answers a row for each one
 * given, in their order; `created` where it was made by it.
 */
export const insert = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  rows: readonly NewSuppression[],
  actor: audits.Actor,
): Promise<{ suppression: Suppression; created: boolean }[]> => {
  const hashKey = await hashKeyOf(db, secrets, accountId)
  return db.transaction(async (tx) => {
    const open = keyed(hashKey, rows)
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
    const created = new Set(made.map(idOf))
    return rows.map((row) => {
      const id = idOf({ ...row, emailKey: emailKeyOf(hashKey, row.email)! })
      return { suppression: found.get(id)!, created: created.delete(id) }
    })
  })
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
    const [found] = await tx
      .select()
      .from(suppressions)
      .where(and(eq(suppressions.accountId, accountId), eq(suppressions.id, suppressionId)))
      .for('update')
    if (found === undefined) throw new FairleadError('notFound')
    checkLift(found.source, role)
    if (found.liftedAt !== null) return found
    const [lifted] = await tx
      .update(suppressions)
      .set({ liftedAt: sql`now()`, liftedBy: actor.apiKeyId, liftEvidence: evidence })
      .where(eq(suppressions.id, suppressionId))
      .returning()
    const details = { reason: found.reason, source: found.source }
    await audits.insert(tx, accountId, actor, { action: 'suppression.lift', targetId: suppressionId, details })
    return lifted!
  })

import { and, asc, count, eq, gt } from 'drizzle-orm'
import { randomBytes } from 'node:crypto'
import type { AlertKind } from '../domain/alert.ts'
import { FairleadError } from '../domain/errors.ts'
import * as accounts from './account.ts'
import * as audits from './audit.ts'
import type { Database } from './database.ts'
import type { Transaction } from './outbox.ts'
import { webhooks } from './schema.ts'
import { webhookContext, type SecretBox } from './secret.ts'

export type Webhook = typeof webhooks.$inferSelect
type Input = { url: string; events: AlertKind[] }
type Changes = Partial<Input> & { rotateSecret?: boolean }

const most = 20
/** Both secrets sign for so long after a rotation. */
const overlapMs = 24 * 3_600_000

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`
const owned = (accountId: string, webhookId: string) =>
  and(eq(webhooks.accountId, accountId), eq(webhooks.id, webhookId))

/** What signs at this moment: the newest first. */
export const secretsOf = (secrets: SecretBox, webhook: Webhook, now = Date.now()): string[] => {
  const { id, secret, previousSecret, previousUntil } = webhook
  const both = previousSecret !== null && previousUntil !== null && previousUntil.getTime() > now
  return [secret, ...(both ? [previousSecret] : [])].map((sealed) => secrets.open(sealed, webhookContext(id)))
}

export const page = (
  db: Database,
  accountId: string,
  { limit, after }: { limit: number; after?: string },
): Promise<Webhook[]> =>
  db
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.accountId, accountId), after === undefined ? undefined : gt(webhooks.id, after)))
    .orderBy(asc(webhooks.id))
    .limit(limit)

/** `secret` is shown this once. Errors: tooManyWebhooks. */
export const insert = (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  input: Input,
  actor: audits.Actor,
): Promise<{ webhook: Webhook; secret: string }> =>
  db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'no key update')
    const [{ n } = { n: 0 }] = await tx.select({ n: count() }).from(webhooks).where(eq(webhooks.accountId, accountId))
    if (n >= most) throw new FairleadError('tooManyWebhooks')
    const [made] = await tx
      .insert(webhooks)
      .values({ ...input, accountId, secret: '' })
      .returning({ id: webhooks.id })
    const { id } = made!
    const secret = newSecret()
    const sealed = secrets.seal(secret, webhookContext(id))
    const [webhook] = await tx.update(webhooks).set({ secret: sealed }).where(eq(webhooks.id, id)).returning()
    await audits.insert(tx, accountId, actor, {
      action: 'webhook.create',
      targetId: id,
      details: { events: input.events },
    })
    return { webhook: webhook!, secret }
  })

/** The account before it, as everybody does who tells. Errors: notFound. */
const lock = async (tx: Transaction, accountId: string, webhookId: string): Promise<Webhook> => {
  await accounts.lock(tx, accountId, 'key share')
  const [found] = await tx.select().from(webhooks).where(owned(accountId, webhookId)).for('update')
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** A new secret is shown this once; the one before signs beside it for a day. Errors: notFound. */
export const update = (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  webhookId: string,
  { rotateSecret = false, ...changes }: Changes,
  actor: audits.Actor,
): Promise<{ webhook: Webhook; secret: string | null }> =>
  db.transaction(async (tx) => {
    const before = await lock(tx, accountId, webhookId)
    const secret = rotateSecret ? newSecret() : null
    const rotated =
      secret === null
        ? {}
        : {
            secret: secrets.seal(secret, webhookContext(webhookId)),
            previousSecret: before.secret,
            previousUntil: new Date(Date.now() + overlapMs),
          }
    const [webhook] = await tx
      .update(webhooks)
      .set({ ...changes, ...rotated, updatedAt: new Date() })
      .where(eq(webhooks.id, webhookId))
      .returning()
    const changed = [...Object.keys(changes), ...(rotateSecret ? ['secret'] : [])]
    await audits.insert(tx, accountId, actor, {
      action: 'webhook.update',
      targetId: webhookId,
      details: { changed },
    })
    return { webhook: webhook!, secret }
  })

/** What is still to be delivered to it is not. Errors: notFound. */
export const remove = (db: Database, accountId: string, webhookId: string, actor: audits.Actor): Promise<void> =>
  db.transaction(async (tx) => {
    await lock(tx, accountId, webhookId)
    await tx.delete(webhooks).where(eq(webhooks.id, webhookId))
    await audits.insert(tx, accountId, actor, { action: 'webhook.remove', targetId: webhookId })
  })

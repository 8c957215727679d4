import { and, eq, sql } from 'drizzle-orm'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import * as optOuts from '../optOut.ts'
import type { Transaction } from '../outbox.ts'
import { deliveries, messageVersions, suppressions } from '../schema.ts'

/** How somebody unsubscribed: by the button of their mail program (RFC 8058), or by the one of our page. */
export type Way = 'oneClick' | 'page'

export type Subscriber = {
  deliveryId: string
  accountId: string
  from: { name: string; email: string }
  /** null after an erasure */
  email: string | null
  unsubscribedAt: Date | null
}

const shown = {
  deliveryId: deliveries.id,
  accountId: deliveries.accountId,
  from: sql<Subscriber['from']>`${messageVersions.definition}->'from'`,
  email: deliveries.email,
  emailKey: deliveries.emailKey,
  unsubscribedAt: deliveries.unsubscribedAt,
}

const find = (db: Database | Transaction, token: string) =>
  db
    .select(shown)
    .from(deliveries)
    .innerJoin(
      messageVersions,
      and(eq(messageVersions.messageId, deliveries.messageId), eq(messageVersions.version, deliveries.version)),
    )
    .where(eq(deliveries.unsubscribeToken, token))

/** R35: whose unsubscribe link it is; of a removed message, a removed list and an erased person too. */
export const findSubscriber = async (db: Database, token: string): Promise<Subscriber | undefined> => {
  const [found] = await find(db, token)
  return found
}

type Address = { accountId: string; email: string | null; emailKey: Buffer }

/** After an erasure there is a hash and nobody to look for in the CRM. */
const suppressHash = async (tx: Transaction, { accountId, emailKey }: Address, evidence: string): Promise<void> => {
  await tx
    .insert(suppressions)
    .values({ accountId, emailKey, email: null, reason: 'unsubscribed', source: 'person', evidence })
    .onConflictDoNothing()
}

const suppress = async (tx: Transaction, address: Address, evidence: string, actor: audits.Actor): Promise<void> => {
  const { accountId, email, emailKey } = address
  if (email === null) return suppressHash(tx, address, evidence)
  const said = { reason: 'unsubscribed', source: 'person', evidence } as const
  await optOuts.optOut(tx, { accountId, email, emailKey, ...said, actor })
}

const ways: Record<Way, string> = {
  oneClick: 'by one click in the mail program',
  page: 'by the button of the unsubscribe page',
}

type Asked = { requestId: string; now?: Date }

/**
 * R34, R35: no mail goes to the address from now on, and the CRM is told, all in one transaction. Again is harmless: an address that may be mailed by
 * then is suppressed anew. Answers nothing where nobody has the token.
 */
export const unsubscribe = (
  db: Database,
  token: string,
  { way, requestId, now = new Date() }: Asked & { way: Way },
): Promise<Subscriber | undefined> =>
  db.transaction(async (tx) => {
    const [found] = await find(tx, token).for('no key update', { of: deliveries })
    if (found === undefined) return undefined
    const { deliveryId, accountId, email, emailKey } = found
    const evidence = `Unsubscribed ${ways[way]}, delivery ${deliveryId}, ${now.toISOString()}.`
    const actor = { ...audits.operator, requestId }
    if (emailKey !== null) await suppress(tx, { accountId, email, emailKey }, evidence, actor)
    const unsubscribedAt = found.unsubscribedAt ?? now
    await tx.update(deliveries).set({ unsubscribedAt }).where(eq(deliveries.id, deliveryId))
    return { ...found, unsubscribedAt }
  })

/**
 * R34: the person's own new consent takes back what was said by this very link, and nothing where nothing was. Answers nothing where nobody has the token,
 * or nobody can be mailed any more.
 */
export const subscribeAgain = (
  db: Database,
  token: string,
  { requestId, now = new Date() }: Asked,
): Promise<Subscriber | undefined> =>
  db.transaction(async (tx) => {
    const [found] = await find(tx, token).for('no key update', { of: deliveries })
    if (found === undefined || found.unsubscribedAt === null) return found
    const { deliveryId, accountId, email, emailKey } = found
    if (email === null || emailKey === null) return found
    const evidence = `Took back the unsubscribing of delivery ${deliveryId} on its page, ${now.toISOString()}.`
    const actor = { ...audits.operator, requestId }
    await optOuts.consent(tx, { accountId, email, emailKey, evidence, by: 'person', actor })
    await tx.update(deliveries).set({ unsubscribedAt: null }).where(eq(deliveries.id, deliveryId))
    return { ...found, unsubscribedAt: null }
  })

import { eq, isNotNull } from 'drizzle-orm'
import type { Database } from './database.ts'
import { accounts, candidates, connections, webhooks } from './schema.ts'
import { candidateContext, connectionContext, hashKeyContext, webhookContext, type SecretBox } from './secret.ts'

/** Seals every secret with the newest key, in one transaction: after it, older keys are not needed. */
export const rotate = (db: Database, secrets: SecretBox): Promise<{ rotated: number; current: number }> =>
  db.transaction(async (tx) => {
    let rotated = 0
    let current = 0
    const renew = async (
      sealed: string,
      context: string,
      store: (renewed: string) => Promise<unknown>,
    ): Promise<void> => {
      if (!secrets.isStale(sealed)) {
        current += 1
        return
      }
      await store(secrets.seal(secrets.open(sealed, context), context))
      rotated += 1
    }
    for (const { id, hashKey } of await tx.select().from(accounts).for('update')) {
      await renew(hashKey, hashKeyContext(id), (sealed) =>
        tx.update(accounts).set({ hashKey: sealed }).where(eq(accounts.id, id)),
      )
    }
    for (const { id, secret } of await tx
      .select()
      .from(connections)
      .where(isNotNull(connections.secret))
      .for('update')) {
      await renew(secret!, connectionContext(id), (sealed) =>
        tx.update(connections).set({ secret: sealed }).where(eq(connections.id, id)),
      )
    }
    for (const { connectionId: id, secret } of await tx
      .select()
      .from(candidates)
      .where(isNotNull(candidates.secret))
      .for('update')) {
      await renew(secret!, candidateContext(id), (sealed) =>
        tx.update(candidates).set({ secret: sealed }).where(eq(candidates.connectionId, id)),
      )
    }
    for (const { id, secret, previousSecret } of await tx.select().from(webhooks).for('update')) {
      await renew(secret, webhookContext(id), (sealed) =>
        tx.update(webhooks).set({ secret: sealed }).where(eq(webhooks.id, id)),
      )
      if (previousSecret !== null)
        await renew(previousSecret, webhookContext(id), (sealed) =>
          tx.update(webhooks).set({ previousSecret: sealed }).where(eq(webhooks.id, id)),
        )
    }
    return { rotated, current }
  })

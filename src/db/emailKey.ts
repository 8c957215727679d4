import { eq } from 'drizzle-orm'
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { normaliseEmail } from '../domain/email.ts'
import { FairleadError } from '../domain/errors.ts'
import type { Database } from './database.ts'
import type { Transaction } from './outbox.ts'
import { accounts } from './schema.ts'
import { hashKeyContext, type SecretBox } from './secret.ts'

const cache = new Map<string, KeyObject>()

/** The account's key for hashing e-mail addresses. It never changes, so it is read once per process. */
export const hashKeyOf = async (
  db: Database | Transaction,
  secrets: SecretBox,
  accountId: string,
): Promise<KeyObject> => {
  const known = cache.get(accountId)
  if (known !== undefined) return known
  const [account] = await db.select({ hashKey: accounts.hashKey }).from(accounts).where(eq(accounts.id, accountId))
  if (account === undefined) throw new FairleadError('notFound')
  const key = createSecretKey(secrets.open(account.hashKey, hashKeyContext(accountId)), 'base64')
  cache.set(accountId, key)
  return key
}

/** 16 bytes of HMAC-SHA256 over the normalised address (R2, R37), in hexadecimal; blank without one. */
export const emailHexOf = (hashKey: KeyObject, email: unknown): string => {
  const normal = normaliseEmail(email)
  return normal === null ? '' : createHmac('sha256', hashKey).update(normal).digest('hex').slice(0, 32)
}

/** The same as bytes; null without an address. */
export const emailKeyOf = (hashKey: KeyObject, email: unknown): Buffer | null => {
  const hex = emailHexOf(hashKey, email)
  return hex === '' ? null : Buffer.from(hex, 'hex')
}

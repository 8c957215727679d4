import { asc, eq } from 'drizzle-orm'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import * as accountRows from '../db/account.ts'
import * as apiKeys from '../db/apiKey.ts'
import { openDatabase } from '../db/database.ts'
import { accounts } from '../db/schema.ts'
import { createSecretBox } from '../db/secret.ts'

const name = 'Demo'

export type AccountOptions = { databaseUrl: string; secretKeys: string; keyFile: string }

/** The key of the account "Demo", from `keyFile` while it is good there; else the account gets a further one, and is made when absent. */
export const ensureAccount = async ({ databaseUrl, secretKeys, keyFile }: AccountOptions): Promise<string> => {
  const db = openDatabase(databaseUrl, { max: 1, name: 'fairlead-start' })
  try {
    const kept = existsSync(keyFile) ? readFileSync(keyFile, 'utf8').trim() : ''
    const known = kept === '' ? undefined : await apiKeys.findByKey(db, kept)
    if (known !== undefined && known.revokedAt === null) return kept
    const [found] = await db.select().from(accounts).where(eq(accounts.name, name)).orderBy(asc(accounts.id))
    const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone
    const account = found ?? (await accountRows.insert(db, createSecretBox(secretKeys), { name, timeZone }))
    const { key } = await apiKeys.insert(db, account.id, { name: 'npm start', role: 'admin' })
    writeFileSync(`${keyFile}.new`, `${key}\n`, { mode: 0o600 })
    renameSync(`${keyFile}.new`, keyFile)
    return key
  } finally {
    await db.$client.end({ timeout: 5 })
  }
}

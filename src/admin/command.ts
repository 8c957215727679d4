import { eq } from 'drizzle-orm'
import type { Database } from '../db/database.ts'
import { accounts } from '../db/schema.ts'
import type { SecretBox } from '../db/secret.ts'

export type Options = { 'time-zone'?: string; role?: string; name?: string; expires?: string }
export type Command = (
  tools: { db: Database; secrets: SecretBox },
  words: string[],
  options: Options,
) => Promise<string>

export const accountByName = async (db: Database, name: string | undefined) => {
  if (name === undefined) throw new Error('Name the account.')
  const [account] = await db.select().from(accounts).where(eq(accounts.name, name))
  if (account === undefined) throw new Error(`There is no account "${name}"; "account list" shows them all.`)
  return account
}

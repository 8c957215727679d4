import { asc, eq } from 'drizzle-orm'
import type { Database } from '../db/database.ts'
import { accounts } from '../db/schema.ts'
import type { SecretBox } from '../db/secret.ts'

export type Options = { 'time-zone'?: string; role?: string; name?: string; expires?: string }
export type Command = (
  tools: { db: Database; secrets: SecretBox },
  words: string[],
  options: Options,
) => Promise<string>

export const isId = (text: string): boolean => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)

export const accountsNamed = (db: Database, name: string) =>
  db.select().from(accounts).where(eq(accounts.name, name)).orderBy(asc(accounts.id))

/** By id, else by name. Accounts name themselves, so several may have the name. */
export const accountOf = async (db: Database, word: string | undefined) => {
  if (word === undefined) throw new Error('Name the account.')
  const byId = isId(word) ? await db.select().from(accounts).where(eq(accounts.id, word)) : []
  const [account, ...others] = byId.length > 0 ? byId : await accountsNamed(db, word)
  if (account === undefined) throw new Error(`There is no account "${word}"; "account list" shows them all.`)
  if (others.length > 0) throw new Error(`Several accounts are named "${word}"; use the id, "account list" shows it.`)
  return account
}

import { asc } from 'drizzle-orm'
import * as accountRows from '../db/account.ts'
import * as apiKeys from '../db/apiKey.ts'
import * as connections from '../db/connection.ts'
import type { Database } from '../db/database.ts'
import { accounts } from '../db/schema.ts'
import { FairleadError } from '../domain/errors.ts'
import { accountOf, accountsNamed, type Command } from './command.ts'

const setEnabled = async (db: Database, word: string | undefined, enabled: boolean): Promise<string> => {
  const { id, name } = await accountOf(db, word)
  await connections.setEnabled(db, id, enabled)
  return `The connector of "${name}" is ${enabled ? 'enabled' : 'disabled'}.`
}

export const accountCommand: Command = async ({ db, secrets }, [verb, name], options) => {
  switch (verb) {
    case 'add': {
      if (name === undefined || name.trim() === '') throw new Error('Name the account.')
      const timeZone = options['time-zone'] ?? 'UTC'
      if (!Intl.supportedValuesOf('timeZone').includes(timeZone) && timeZone !== 'UTC') {
        throw new Error(`"${timeZone}" is not a time zone; write it as Europe/Berlin.`)
      }
      if ((await accountsNamed(db, name)).length > 0) throw new FairleadError('nameTaken')
      const account = await accountRows.insert(db, secrets, { name, timeZone })
      const { key } = await apiKeys.insert(db, account.id, { name: 'first', role: 'admin' })
      return `Account "${name}" is ${account.id}.\nIts administrator key, shown this once: ${key}`
    }
    case 'list': {
      const all = await db.select().from(accounts).orderBy(asc(accounts.name), asc(accounts.id))
      return (
        all
          .map(({ id, name, connectorEnabled }) => `${id}  ${connectorEnabled ? 'enabled ' : 'disabled'}  ${name}`)
          .join('\n') || 'There is no account yet.'
      )
    }
    case 'enable':
      return setEnabled(db, name, true)
    case 'disable':
      return setEnabled(db, name, false)
    default:
      throw new Error('Say account add, list, enable or disable.')
  }
}

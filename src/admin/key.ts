import { roles, type Role } from '../domain/account.ts'
import { FairleadError } from '../domain/errors.ts'
import * as apiKeys from '../db/apiKey.ts'
import { accountOf, isId, type Command } from './command.ts'

const roleOf = (text: string): Role => {
  const role = roles.find((each) => each === text)
  if (role === undefined) throw new Error(`"${text}" is not a role; choose one of ${roles.join(', ')}.`)
  return role
}

const dateOf = (text: string): Date => {
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) throw new Error(`"${text}" is not a date; write it as 2027-12-31.`)
  if (date.getTime() < Date.now()) throw new Error(`${text} is over already.`)
  return date
}

export const keyCommand: Command = async ({ db }, [verb, accountWord, keyId], options) => {
  const account = await accountOf(db, accountWord)
  switch (verb) {
    case 'add': {
      const role = roleOf(options.role ?? 'admin')
      const expiresAt = options.expires === undefined ? null : dateOf(options.expires)
      const { key, apiKey } = await apiKeys.insert(db, account.id, { name: options.name ?? role, role, expiresAt })
      return `Key ${apiKey.id} (${role}), shown this once: ${key}`
    }
    case 'revoke': {
      if (keyId === undefined) throw new Error('Name the key by its id; GET /v1/api-keys lists them.')
      if (!isId(keyId)) throw new FairleadError('notFound')
      await apiKeys.revoke(db, account.id, keyId)
      return `Key ${keyId} is revoked.`
    }
    default:
      throw new Error('Say key add or key revoke.')
  }
}

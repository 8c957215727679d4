import { parseArgs } from 'node:util'
import { accountCommand } from './admin/account.ts'
import { keyCommand } from './admin/key.ts'
import { secretsCommand } from './admin/secrets.ts'
import type { Command } from './admin/command.ts'
import { readConfig } from './config.ts'
import { migrate, openDatabase } from './db/database.ts'
import { failureCode } from './db/failure.ts'
import { createSecretBox } from './db/secret.ts'
import { isFairleadError } from './domain/errors.ts'

const usage = `npm run admin -- account add NAME [--time-zone ZONE]   a new account, with its first administrator key
npm run admin -- account list                          all accounts
npm run admin -- account enable ACCOUNT                let its connector work (C5)
npm run admin -- account disable ACCOUNT               stop its connector; work waits
npm run admin -- key add ACCOUNT [--role admin] [--name NAME] [--expires 2027-12-31]
npm run admin -- key revoke ACCOUNT KEYID
npm run admin -- secrets rotate                        encrypt all secrets with the first key of FAIRLEAD_SECRET_KEYS
npm run admin -- migrate                               bring the database up to date

ACCOUNT is the name of an account, or its id.`

/** O5: what an operator does without the API. */
const commands: Record<string, Command> = {
  account: accountCommand,
  key: keyCommand,
  secrets: secretsCommand,
  migrate: async () => 'The database is up to date.',
}

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'time-zone': { type: 'string' },
      role: { type: 'string' },
      name: { type: 'string' },
      expires: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const [noun = '', ...rest] = positionals
  const command = commands[noun]
  if (values.help === true || command === undefined) throw new Error(usage)
  const config = readConfig()
  if (config.FAIRLEAD_SECRET_KEYS === undefined)
    throw new Error('FAIRLEAD_SECRET_KEYS is not set; npm start keeps its own in .fairlead/secret-keys.')
  await migrate(config.DATABASE_URL)
  const db = openDatabase(config.DATABASE_URL, { max: 2, name: 'fairlead-admin' })
  try {
    const answer = await command({ db, secrets: createSecretBox(config.FAIRLEAD_SECRET_KEYS) }, rest, values)
    process.stdout.write(`${answer}\n`)
  } finally {
    await db.$client.end({ timeout: 5 })
  }
}

/** R25: the cause and the remedy in a sentence each, and the code. What is neither ours nor the database's is a sentence already. */
const sayWhy = (error: Error): string => {
  if (isFairleadError(error)) return `${error.message} ${error.remedy} (${error.code})`
  const code = failureCode(error)
  if (code === undefined || code.startsWith('ERR_PARSE_ARGS')) return error.message
  const { message } = error.cause instanceof Error ? error.cause : error
  return `The database does not answer${message === '' ? '' : `: ${message}`}. Check DATABASE_URL, and that the database runs. (${code})`
}

await main().catch((error: Error) => {
  process.stderr.write(`${sayWhy(error)}\n`)
  process.exitCode = 1
})

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { program } from './programs.ts'
import { createDatabase } from './servers.ts'

export type Said = { code: number; out: string; err: string }
export type Operator = Awaited<ReturnType<typeof openOperator>>

export const makeKey = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`

/** An operator at the command line, with a database of its own; each command is a process. */
export const openOperator = async () => {
  const database = await createDatabase()
  const db = openDatabase(database.url, { max: 4, name: 'tests' })
  const secretKeys = makeKey('first')
  const printed: string[] = []

  const admin = (words: string[], environment: Record<string, string> = {}): Promise<Said> =>
    new Promise((resolve) => {
      const env = { ...process.env, DATABASE_URL: database.url, FAIRLEAD_SECRET_KEYS: secretKeys, ...environment }
      execFile(process.execPath, [program('admin'), ...words], { env }, (error, out, err) => {
        printed.push(out, err)
        resolve({ code: error === null ? 0 : Number(error.code), out, err })
      })
    })

  return {
    db,
    url: database.url,
    secretKeys,
    admin,
    /** what a command prints that succeeds */
    async done(...words: string[]): Promise<string> {
      const said = await admin(words)
      expect(said).toMatchObject({ code: 0, err: '' })
      return said.out
    },
    /** everything that all commands printed */
    printed: () => printed.join('\n'),
    accountId: async (name: string): Promise<string> => {
      const [account] = await db.$client<[{ id: string }]>`select id from accounts where name = ${name}`
      return account.id
    },
    async close() {
      await db.$client.end()
      await database.drop()
    },
  }
}

/** The API key in a text. */
export const keyIn = (text: string): string => /\bfl_[\w-]{43}/.exec(text)![0]

/** A refusal: exit code 1, nothing but sentences, and no trace of how the program works inside. */
export const expectRefused = ({ code, out, err }: Said, sentence: string | RegExp): void => {
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(sentence)
  expect(err).not.toMatch(/Failed query|node_modules|\bat .*:\d+:\d+|select |insert /)
}

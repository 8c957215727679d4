import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** A value kept in a file that only its owner can read; `make` makes it the first time. */
export const keep = (file: string, make: () => string): string => {
  if (!existsSync(file)) writeFileSync(file, `${make()}\n`, { mode: 0o600, flag: 'wx' })
  return readFileSync(file, 'utf8').trim()
}

/** In the form of FAIRLEAD_SECRET_KEYS. */
export const newSecretKeys = (): string => `k1:${randomBytes(32).toString('base64')}`

import * as secretRows from '../db/rotation.ts'
import type { Command } from './command.ts'

export const secretsCommand: Command = async ({ db, secrets }, [verb]) => {
  if (verb !== 'rotate') throw new Error('Say secrets rotate.')
  const { rotated, current } = await secretRows.rotate(db, secrets)
  return `${rotated} secrets are encrypted anew, ${current} were already. Keys that are no longer first may be removed now.`
}

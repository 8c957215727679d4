import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { holderOf, takeLock } from '../src/embedded/lock.ts'
import { whereDataLies } from '../src/embedded/place.ts'
import * as postgres from '../src/embedded/postgres.ts'
import * as temporal from '../src/embedded/temporal.ts'
import { stopLeftoverChild } from './child.ts'

const all = join(tmpdir(), 'fairlead-bench')

const remove = (folder: string): void => {
  rmSync(whereDataLies(join(folder, 'postgres')), { recursive: true, force: true })
  rmSync(folder, { recursive: true, force: true })
}

/** A temporary folder of this process; what killed benchmarks left, servers included, is cleared away first. */
export const openFolder = async (): Promise<{ path: string; remove: () => void }> => {
  for (const name of existsSync(all) ? readdirSync(all) : []) {
    const folder = join(all, name)
    if (holderOf(join(folder, 'bench.json'))) continue
    for (const file of readdirSync(folder).filter((each) => each.endsWith('.pid.json'))) {
      await stopLeftoverChild(join(folder, file))
    }
    await Promise.all([postgres.stopOrphan(join(folder, 'postgres')), temporal.stopOrphan(join(folder, 'temporal'))])
    remove(folder)
  }
  const path = join(all, `${process.pid}-${randomBytes(4).toString('hex')}`)
  mkdirSync(path, { recursive: true })
  takeLock(join(path, 'bench.json'))
  return { path, remove: () => remove(path) }
}

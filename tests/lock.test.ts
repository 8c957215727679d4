import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { holderOf, takeLock } from '../src/embedded/lock.ts'

let folder: string
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'fairlead-lock-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const dead = JSON.stringify({ pid: 2 ** 22 + 1, startedAt: 'long ago' })

test('a lock is held once, says what its holder noted, and is free again after release', () => {
  const file = join(folder, 'one.json')
  const lock = takeLock(file)!
  lock.note('on port 5432')
  expect(holderOf(file)).toMatchObject({ pid: process.pid, note: 'on port 5432' })
  expect(takeLock(file)).toBeUndefined()
  lock.release()
  expect(holderOf(file)).toBeUndefined()
  expect(takeLock(file)).toBeDefined()
})

test('what a dead process left, or what is no lock at all, is taken over', () => {
  for (const text of [dead, '', '{"pid":', 'null']) {
    const file = join(folder, 'left.json')
    writeFileSync(file, text)
    const lock = takeLock(file)
    expect(lock, text).toBeDefined()
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: process.pid })
    lock!.release()
  }
})

test('of processes that take over the lock of a dead one at the same instant, exactly one gets it', async () => {
  const rounds = 200
  for (let round = 0; round < rounds; round += 1) writeFileSync(join(folder, `${round}.json`), dead)
  const program = `
    import { takeLock } from ${JSON.stringify(new URL('../src/embedded/lock.ts', import.meta.url).href)}
    const won = []
    await new Promise((resolve) => setTimeout(resolve, ${Date.now() + 2500} - Date.now()))
    for (let round = 0; round < ${rounds}; round += 1) if (takeLock(${JSON.stringify(folder)} + '/' + round + '.json')) won.push(round)
    console.log(JSON.stringify(won))
    setTimeout(() => process.exit(0), 1500)`
  const one = async (): Promise<number[]> => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', program]
    return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout)
  }
  const won = (await Promise.all([one(), one(), one()])).flat().sort((a, b) => a - b)
  expect(won).toEqual([...Array(rounds).keys()])
}, 30_000)

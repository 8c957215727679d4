import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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
  for (const text of [dead, '', '{"pid":', 'null', '{}', '{"pid":1}']) {
    const file = join(folder, 'left.json')
    writeFileSync(file, text)
    const lock = takeLock(file)
    expect(lock, text).toBeDefined()
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: process.pid })
    lock!.release()
  }
})

test('of processes that want a lock at the same instant, exactly one gets it, also where a dead one held it', async () => {
  const files = Array.from({ length: 200 }, (_, round) => join(folder, `${round}.json`))
  for (const file of files.slice(100)) writeFileSync(file, dead)
  const program = `
    import { takeLock } from ${JSON.stringify(new URL('../src/embedded/lock.ts', import.meta.url).href)}
    await new Promise((resolve) => setTimeout(resolve, ${Date.now() + 2500} - Date.now()))
    console.log(JSON.stringify(${JSON.stringify(files)}.flatMap((file, round) => (takeLock(file) ? [round] : []))))
    process.stdin.resume()`
  const children = [1, 2, 3].map(() =>
    spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]),
  )
  const taken = await Promise.all(
    children.map(async ({ stdout }) => {
      for await (const line of createInterface(stdout)) return JSON.parse(line) as number[]
      throw new Error('it ended without a word')
    }),
  )
  // until all have looked, each of them lives
  for (const { stdin } of children) stdin.end()
  expect(taken.flat().sort((a, b) => a - b)).toEqual([...files.keys()])
  expect(readdirSync(folder).filter((name) => /^\d+\.json/.test(name))).toHaveLength(files.length)
}, 30_000)

import { expect, test } from 'vitest'
import { isEnough, isEverybodys, mostTries, proving, retryMs } from '../src/activities/proof.ts'
import type { Crm } from '../src/domain/crm.ts'
import { FairleadError } from '../src/domain/errors.ts'

const at = (total: () => Promise<number>) => ({ crm: { total } as unknown as Crm, options: {} })
const wrote = (wroteMsAgo: number) => ({ wroteMsAgo: () => wroteMsAgo }) as unknown as Crm
const failure = new FairleadError('crmFailed', { crm: { status: 500 } })
const waitMs = 120_000

test('R21: who fails while the CRM can be read may be to blame, and nobody is while it cannot', async () => {
  await proving(at(async () => 7))('lead', failure)
  const away = at(() => Promise.reject(new FairleadError('crmUnreachable')))
  await expect(proving(away)('lead', failure)).rejects.toBe(failure)
})

test('R21: those who fail at the same time ask once', async () => {
  let asked = 0
  const proveOthers = proving(at(async () => (asked += 1)))
  await Promise.all([1, 2, 3].map(() => proveOthers('lead', failure)))
  expect(asked).toBe(1)
})

test('R21: nobody is given up before five tries, nor as long as the CRM takes no changes; in the end all the same', () => {
  expect(isEnough(mostTries - 1, wrote(0), waitMs)).toBe(false)
  expect(isEnough(mostTries, wrote(1000), waitMs)).toBe(true)
  expect(isEnough(mostTries, wrote(waitMs), waitMs)).toBe(false)
  expect(isEnough(mostTries + 20, wrote(Infinity), waitMs)).toBe(false)
  expect(isEnough(1000, wrote(Infinity), waitMs)).toBe(true)
})

test('R21: a hitch is tried again within half a second; a change that was taken before the first try proves nothing at the last', () => {
  for (let round = 0; round < 100; round += 1) {
    const waits = Array.from({ length: mostTries - 1 }, (_, n) => retryMs(n + 1, waitMs))
    expect(waits[0]).toBeLessThanOrEqual(500)
    expect(waits.reduce((sum, ms) => sum + ms)).toBeGreaterThan(waitMs)
  }
})

test.each([
  ['too many requests', { crm: { status: 429 } }, true],
  ['a pause that the CRM asks for', { crm: { status: 503 }, retryAfterMs: 1000 }, true],
  ['503 without a word', { crm: { status: 503 } }, false],
  ['our own wait for a CRM of one session', { retryAfterMs: 1000 }, false],
])('R21: %s', (_, details, everybodys) => {
  expect(isEverybodys(new FairleadError('crmBusy', details))).toBe(everybodys)
})

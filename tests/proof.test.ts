import { expect, test } from 'vitest'
import { isEverybodys, isGivenUp, mostTries, proving, retryMs } from '../src/activities/proof.ts'
import type { Crm } from '../src/domain/crm.ts'
import { FairleadError } from '../src/domain/errors.ts'

const at = (total: () => Promise<number>) => ({ crm: { total } as unknown as Crm, options: {} })
const readable = at(async () => 7)
const failure = new FairleadError('crmFailed', { crm: { status: 500 } })
const person = (n: number) => ({ entity: 'lead' as const, id: `person ${n}` })

test('R21: who fails while the CRM can be read is to blame, and nobody is while it cannot', async () => {
  await proving().others(readable, person(1), failure)
  const away = at(() => Promise.reject(new FairleadError('crmUnreachable')))
  await expect(proving().others(away, person(1), failure)).rejects.toBe(failure)
})

test('R21: a CRM that can be read and takes no change from anybody is everybody’s', async () => {
  const proof = proving()
  for (const n of [1, 2, 3, 4]) await proof.others(readable, person(n), failure)
  await expect(proof.others(readable, person(5), failure)).rejects.toBe(failure)
  proof.worked()
  await proof.others(readable, person(6), failure)
})

test('R21: one person who keeps failing is one, however often', async () => {
  const proof = proving()
  for (let tries = 0; tries < 10; tries += 1) await proof.others(readable, person(1), failure)
})

test('R21: those who fail at the same time ask once', async () => {
  let asked = 0
  const counting = at(async () => (asked += 1))
  const proof = proving()
  await Promise.all([1, 2, 3].map((n) => proof.others(counting, person(n), failure)))
  expect(asked).toBe(1)
})

test.each([
  ['too many requests', { crm: { status: 429 } }, true],
  ['a pause that the CRM asks for', { crm: { status: 503 }, retryAfterMs: 1000 }, true],
  ['503 without a word', { crm: { status: 503 } }, false],
  ['our own wait for a CRM of one session', { retryAfterMs: 1000 }, false],
])('R21: %s', (_, details, everybodys) => {
  expect(isEverybodys(new FairleadError('crmBusy', details))).toBe(everybodys)
})

test('R7: what the CRM may have done is looked for once more', () => {
  const dropped = new FairleadError('crmUnreachable', { crm: { code: 'UND_ERR_SOCKET' } })
  const refused = new FairleadError('crmUnreachable', { crm: { code: 'ECONNREFUSED' } })
  const given = [failure, refused, dropped].map((error) => isGivenUp(error, mostTries))
  expect(given).toEqual([true, true, false])
  expect(isGivenUp(dropped, mostTries + 1)).toBe(true)
})

test('R21: a hitch is tried again within half a second, and all tries together take longer than the CRM may be late', () => {
  const waits = Array.from({ length: mostTries - 1 }, (_, n) => retryMs(n + 1, 120_000))
  expect(waits[0]).toBeLessThanOrEqual(500)
  expect(waits.reduce((sum, ms) => sum + ms)).toBeGreaterThan(120_000)
})

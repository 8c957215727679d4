import { afterAll, beforeAll, test } from 'vitest'
import { openRandom, type Random } from '../support/random.ts'

let random: Random

beforeAll(async () => {
  random = await openRandom()
})
afterAll(() => random.close())

test(
  'R1–R17, R21–R24: whatever both sides and the network do, a list ends in step, and the sync after that writes nothing',
  { timeout: 300_000 },
  () => random.holds({ cases: 4, mostSteps: 4, limitMs: 120_000, seed: 20_261_125 }),
)

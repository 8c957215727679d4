import { afterAll, beforeAll, test } from 'vitest'
import { openRandom, type Random } from '../support/random.ts'

let random: Random

beforeAll(async () => {
  random = await openRandom()
})
afterAll(() => random.close())

test(
  'the timeline alone is enough to compute the values of each of a hundred random people, on both sides, at every moment',
  { timeout: 120_000 },
  () => random.crowd({ of: 16, steps: 3, seed: 20_261_126 }),
)

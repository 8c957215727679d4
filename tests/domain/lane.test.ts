import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isSameCrm } from '../../src/domain/connection.ts'
import { laneCount, laneOffsets, laneRanges } from '../../src/domain/lane.ts'
import { isMassDeletion } from '../../src/domain/sweep.ts'

const key = fc.stringMatching(/^[A-Z0-9]{1,12}$/)

test('ranges between any keys hold every key exactly once', () => {
  const borders = fc.uniqueArray(key, { maxLength: 8 }).map((keys) => keys.toSorted())
  fc.assert(
    fc.property(borders, fc.array(key), (keys, people) => {
      const ranges = laneRanges(keys)
      expect(ranges).toHaveLength(keys.length + 1)
      for (const id of people) {
        const holding = ranges.filter(
          ({ after, upTo }) => (after === null || id > after) && (upTo === null || id <= upTo),
        )
        expect(holding).toHaveLength(1)
      }
    }),
  )
})

test('keys that are missing or repeated join their neighbours', () => {
  expect(laneRanges([null, 'B', 'B', null])).toEqual([
    { after: null, upTo: 'B' },
    { after: 'B', upTo: null },
  ])
  expect(laneRanges([])).toEqual([{ after: null, upTo: null }])
})

test('there are never more lanes than concurrent requests, and offsets lie inside and rise', () => {
  fc.assert(
    fc.property(fc.nat(3_000_000), fc.integer({ min: 1, max: 32 }), (total, concurrency) => {
      const count = laneCount(total, concurrency)
      expect(count).toBeGreaterThanOrEqual(1)
      expect(count).toBeLessThanOrEqual(concurrency)
      const offsets = laneOffsets(total, count)
      expect(offsets).toHaveLength(count - 1)
      offsets.forEach((offset, index) => expect(offset).toBeGreaterThan(offsets[index - 1] ?? -1))
      for (const offset of offsets) expect(offset).toBeLessThan(total)
    }),
  )
  expect(laneCount(null, 4)).toBe(1)
})

test.each([
  [50, 100, false],
  [51, 100, true],
  [51, 2550, false],
  [51, 2549, true],
  [1000, 50_000, false],
  [1001, 50_000, true],
  [0, 0, false],
])('R15: %i of %i gone is a mass deletion: %s', (gone, live, expected) => {
  expect(isMassDeletion(gone, live)).toBe(expected)
})

test.each([
  [200, 190, true],
  [200, 189, false],
  [0, 0, true],
  [1, 0, false],
])('C3: of %i sampled people %i are equal: the same CRM: %s', (sampled, equal, expected) => {
  expect(isSameCrm(sampled, equal)).toBe(expected)
})

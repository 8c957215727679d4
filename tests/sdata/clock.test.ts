import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createClock } from '../../src/sdata/http/clock.ts'

const dateOf = (ms: number): string => new Date(ms).toUTCString()
const start = Date.parse('2026-03-01T10:00:00.000Z')

test('one date knows whole seconds, and says within one where the clock is', () => {
  const clock = createClock()
  expect(clock.skew()).toBeNull()
  clock.note(undefined, start, start)
  clock.note('yesterday', start, start)
  expect(clock.skew()).toBeNull()
  clock.note(dateOf(start + 60_700), start, start)
  expect(clock.skew(start)).toEqual({ least: 60_000, likely: 60_500 })
  // the two may drift apart while nothing is heard
  expect(clock.skew(start + 60_000)).toEqual({ least: 59_940, likely: 60_440 })
})

test('whatever the clocks and the ways of replies are, the difference lies where it is said to be, and many replies say it nearly', () => {
  const replies = fc.array(fc.record({ pause: fc.nat(900), there: fc.nat(40), back: fc.nat(40) }), {
    minLength: 300,
    maxLength: 300,
  })
  fc.assert(
    fc.property(fc.integer({ min: -5_000_000, max: 5_000_000 }), replies, (skewMs, all) => {
      const clock = createClock()
      let now = start
      for (const { pause, there, back } of all) {
        const sentAt = (now += pause)
        const date = dateOf(sentAt + there + skewMs)
        now += there + back
        clock.note(date, sentAt, now)
        expect(clock.skew(now)!.least).toBeLessThanOrEqual(skewMs)
      }
      expect(Math.abs(clock.skew(now)!.likely - skewMs)).toBeLessThanOrEqual(60)
    }),
  )
})

test('replies that a server works long for do not move its clock, and a few quick ones among them tell it nearly', () => {
  const works = fc.array(
    fc.record({ pause: fc.nat(900), work: fc.integer({ min: 1000, max: 20_000 }), back: fc.nat(40) }),
    {
      minLength: 1,
      maxLength: 300,
    },
  )
  fc.assert(
    fc.property(fc.integer({ min: -5_000_000, max: 5_000_000 }), works, (skewMs, all) => {
      const clock = createClock()
      let now = start
      for (const { pause, work, back } of all) {
        const sentAt = (now += pause)
        now += work
        const date = dateOf(now + skewMs)
        now += back
        clock.note(date, sentAt, now)
        const { least, likely } = clock.skew(now)!
        expect(least).toBeLessThanOrEqual(skewMs)
        expect(Math.abs(likely - skewMs)).toBeLessThanOrEqual(560)
      }
      for (let n = 0; n < 60; n += 1) clock.note(dateOf((now += 137) + skewMs), now, now)
      expect(Math.abs(clock.skew(now)!.likely - skewMs)).toBeLessThanOrEqual(60)
    }),
  )
})

test('clocks that drift apart never make it begin anew', () => {
  for (const rate of [-0.0005, 0.0005]) {
    const clock = createClock()
    let now = start
    const skewAt = () => (now - start) * rate
    for (let n = 0; n < 2000; n += 1) {
      clock.note(dateOf((now += 730 + (n % 17) * 11) + skewAt()), now, now + 5)
      expect(clock.skew(now)!.least).toBeLessThanOrEqual(skewAt())
      if (n > 100) expect(Math.abs(clock.skew(now)!.likely - skewAt())).toBeLessThanOrEqual(100)
    }
  }
})

test('a clock that is set begins anew', () => {
  const clock = createClock()
  for (let at = start; at < start + 20_000; at += 130) clock.note(dateOf(at + 5000), at, at + 10)
  expect(Math.abs(clock.skew(start + 20_000)!.likely - 5000)).toBeLessThan(100)
  const later = start + 30_000
  clock.note(dateOf(later - 60_000), later, later + 10)
  expect(clock.skew(later)).toEqual({ least: -60_010, likely: -59_510 })
})

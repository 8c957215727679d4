import { dice, type Dice } from '../hash.ts'

const day = 86_400_000
const first = Date.UTC(2015, 0, 1)
const last = Date.UTC(2026, 5, 30)
const days = (last - first) / day

/** What a mass update in the CRM leaves behind: thousands of rows with one ModifyDate. */
export const massStamp = Date.UTC(2024, 2, 18, 2)

export type Times = { createdAt: Dice; modifiedAt: (n: number) => number }

const secondOf = (roll: number): number => (roll % 86_400) * 1000

/** One row in a thousand was created at the zero date of old databases, one in eight instants has milliseconds. */
export const makeTimes = (seed: number, name: string): Times => {
  const createRoll = dice(seed, `${name}.created`)
  const clockRoll = dice(seed, `${name}.clock`)
  const modifyRoll = dice(seed, `${name}.modified`)
  const createdAt = (n: number): number => {
    const roll = createRoll(n)
    if (roll % 1000 === 7) return Date.UTC(1899, 11, 30)
    return first + (roll % days) * day + secondOf(clockRoll(n))
  }
  return {
    createdAt,
    modifiedAt(n) {
      const roll = modifyRoll(n)
      if (roll % 1000 < 25) return massStamp
      const from = Math.max(createdAt(n), first)
      const left = Math.max(1, Math.floor((last - from) / 1000))
      const milliseconds = roll % 8 === 0 ? roll % 1000 : 0
      return from + (Math.floor((clockRoll(n) ^ roll) >>> 0) % left) * 1000 + milliseconds
    },
  }
}

/** A date without time lies five seconds after midnight UTC. */
export const dateOnly = (year: number, month: number, date: number): number => Date.UTC(year, month, date, 0, 0, 5)

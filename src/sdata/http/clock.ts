/** The CRM's clock minus ours, in milliseconds: `least` for certain, `likely` the best guess. */
export type Skew = { least: number; likely: number }

export type Clock = {
  /** a reply's Date header, when its request was sent and when it came, by our clock */
  note(date: string | undefined, sentAt: number, cameAt: number): void
  /** null before the first reply with a date */
  skew(now?: number): Skew | null
}

/** Two clocks part by no more than this, in milliseconds per millisecond: ten times what one without any correction does. */
const drift = 0.001

type Bounds = { least: number; most: number; at: number }

/** What is still certain later. */
const aged = ({ least, most, at }: Bounds, now: number): Bounds => {
  const apart = Math.max(0, now - at) * drift
  return { least: least - apart, most: most + apart, at: Math.max(at, now) }
}

/**
 * Reads the CRM's clock from the dates of its replies. One date knows whole seconds only, cut off, and nothing of the way of the reply: it says within
 * a second where the other clock is. Several say it within milliseconds, as soon as one came shortly before and one shortly after a full second.
 */
export const createClock = (): Clock => {
  let known: Bounds | null = null
  return {
    note(date, sentAt, cameAt) {
      const second = Date.parse(date ?? '')
      if (Number.isNaN(second)) return
      const told = { least: second - cameAt, most: second + 1000 - sentAt, at: cameAt }
      const before = known && aged(known, cameAt)
      const both = {
        least: Math.max(told.least, before?.least ?? -Infinity),
        most: Math.min(told.most, before?.most ?? Infinity),
        at: before?.at ?? cameAt,
      }
      // one of the clocks was set: what was known before is over
      known = both.least > both.most ? told : both
    },
    skew(now = Date.now()) {
      if (known === null) return null
      const { least, most } = aged(known, now)
      // a server dates a reply when it has its work done: a slow one came late because of the work, not of its way back
      return { least: Math.floor(least), likely: Math.round(Math.min((least + most) / 2, least + 500)) }
    },
  }
}

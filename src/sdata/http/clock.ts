/** The CRM's clock minus ours, in milliseconds: `least` for certain, `likely` in the middle of what is possible. */
export type Skew = { least: number; likely: number }

export type Clock = {
  /** a reply's Date header, when its request was sent and when it came, by our clock */
  note(date: string | undefined, sentAt: number, cameAt: number): void
  /** null before the first reply with a date */
  skew(): Skew | null
}

/**
 * Reads the CRM's clock from the dates of its replies. One date knows whole seconds only, cut off, and nothing of the way of the reply: it says within
 * a second where the other clock is. Several say it within milliseconds, as soon as one came shortly before and one shortly after a full second.
 */
export const createClock = (): Clock => {
  let known: { least: number; most: number } | null = null
  return {
    note(date, sentAt, cameAt) {
      const second = Date.parse(date ?? '')
      if (Number.isNaN(second)) return
      const told = { least: second - cameAt, most: second + 1000 - sentAt }
      const both = {
        least: Math.max(told.least, known?.least ?? -Infinity),
        most: Math.min(told.most, known?.most ?? Infinity),
      }
      // one of the clocks was set, or has drifted: what was known before is over
      known = both.least > both.most ? told : both
    },
    skew: () => known && { least: known.least, likely: Math.round((known.least + known.most) / 2) },
  }
}

import type { Slot } from '../../domain/crm.ts'
import type { Sql } from '../database.ts'
import { lookAround } from './lease.ts'

/** A slot is for at most this long a stretch of requests; then it is asked for again. */
export const stretchMs = 2000
/** A slot that is given back is kept so long for whoever asks next in this process, while nobody waits for one. */
const keepMs = 3
/** How long what was seen of others is believed; it is looked twice as often. */
const believeMs = 100

export type Held = { slot: Slot; takenAt: number; letGo: () => Promise<void> }
/** Interactive work of this process that stands in line. */
export type Place = { given: Promise<void>; held: () => Held | undefined; leave: () => void }

/**
 * Slots of one connection that this process has done a request in, and may go on with: at once for interactive work of its own that waits, else for whoever
 * asks next while nobody waits anywhere. What it may not go on with is let go.
 */
export const spareSlots = (sql: Sql, connectionId: string) => {
  let kept: { held: Held; timer: NodeJS.Timeout }[] = []
  let line: { offer: (held: Held) => void; ahead: boolean }[] = []
  let calmAt = -Infinity
  let quietAt = -Infinity
  let strainedAt = -Infinity
  let askedAt = -Infinity
  let looking = false
  let inUse = 0
  let watch: NodeJS.Timeout | undefined

  const look = (): void => {
    if (looking) return
    looking = true
    const at = performance.now()
    lookAround(sql, connectionId)
      .then(({ calm, quiet }) => {
        // what was said since then is newer
        if (at > strainedAt) calmAt = calm ? at : -Infinity
        if (at > strainedAt && at > askedAt) quietAt = quiet ? at : -Infinity
      })
      .catch(() => undefined)
      .finally(() => {
        looking = false
      })
  }
  const isFresh = ({ takenAt, slot }: Held): boolean =>
    performance.now() - takenAt < stretchMs && !slot.signal.aborted && performance.now() - calmAt < believeMs
  const isQuiet = (): boolean => performance.now() - quietAt < believeMs

  /** Until it is looked again, slots go back to the table, where everybody gets them in turn. */
  const letAllGo = (): void => {
    quietAt = -Infinity
    for (const { held, timer } of kept.splice(0)) {
      clearTimeout(timer)
      void held.letGo()
    }
  }

  return {
    /** While slots are held here it is known whether others wait for them. */
    count(change: 1 | -1): void {
      inUse += change
      if (inUse > 0) watch ??= setInterval(look, believeMs / 2).unref()
      else {
        clearInterval(watch)
        watch = undefined
      }
    },
    /** the CRM is strained */
    strain(): void {
      strainedAt = performance.now()
      calmAt = -Infinity
      letAllGo()
    },
    /** somebody of this process waits */
    ask(): void {
      askedAt = performance.now()
      letAllGo()
    },
    /** first come, first served, after those who go ahead */
    standInLine(ahead: boolean): Place {
      let mine: Held | undefined
      let give: () => void = () => undefined
      const given = new Promise<void>((resolve) => {
        give = resolve
      })
      const leave = (): void => {
        line = line.filter((each) => each.offer !== offer)
      }
      const offer = (held: Held): void => {
        leave()
        mine = held
        give()
      }
      line.push({ offer, ahead })
      return { given, held: () => mine, leave }
    },
    async putBack(held: Held): Promise<void> {
      if (!isFresh(held)) return held.letGo()
      const first = line.find(({ ahead }) => ahead) ?? line[0]
      if (first !== undefined) return first.offer(held)
      if (!isQuiet()) return held.letGo()
      const timer = setTimeout(() => {
        kept = kept.filter((each) => each.held !== held)
        void held.letGo()
      }, keepMs)
      kept.push({ held, timer })
    },
    reuse(): Held | undefined {
      for (let each = kept.pop(); each !== undefined; each = kept.pop()) {
        clearTimeout(each.timer)
        if (isFresh(each.held) && isQuiet()) return each.held
        void each.held.letGo()
      }
      return undefined
    },
  }
}

import { CancelledFailure, Context } from '@temporalio/activity'
import type { KeyRange } from '../domain/crm.ts'
import type { Lane } from '../db/lane.ts'
import { beat } from './beat.ts'

/** A segment ends after this many rows or this long, so that a deploy or a cancel never waits long for a checkpoint. */
export const segmentLimits = { rows: 50_000, ms: 120_000 }

/** `stop`: somebody asked the run to end at this checkpoint */
export type SegmentResult = { done: boolean; rows: number; stop: boolean }

type AnyPage = { rows: { length: number }; next: string | null }

export type Segment<Page extends AnyPage> = {
  lane: Lane
  fetch: (range: KeyRange, signal: AbortSignal) => Promise<Page>
  /** one transaction a page, its warnings included; answers whether the run is asked to stop */
  store: (page: Page, number: number) => Promise<{ cancelRequested: boolean }>
}

const afterNextPage = (range: KeyRange, page: AnyPage): KeyRange | null =>
  page.next === null ? null : { after: page.next, upTo: range.upTo }

/**
 * Reads a lane from its cursor in key order, the next page under way while this one is stored. A cancelled or shut-down attempt
 * stops after the page that it is storing; what was fetched and not stored is fetched again by the next attempt.
 */
export const readSegment = async <Page extends AnyPage>({
  lane,
  fetch,
  store,
}: Segment<Page>): Promise<SegmentResult> => {
  if (lane.done) return { done: true, rows: 0, stop: false }
  const { cancellationSignal } = Context.current()
  const stop = new AbortController()
  const signal = AbortSignal.any([cancellationSignal, stop.signal])
  const endAt = Date.now() + segmentLimits.ms
  let range: KeyRange = { after: lane.cursor ?? lane.afterKey, upTo: lane.upToKey }
  let rows = 0
  let number = lane.pages
  let pending: Promise<Page> | null = fetch(range, signal)
  try {
    while (pending !== null) {
      const page: Page = await pending
      rows += page.rows.length
      const next = afterNextPage(range, page)
      const more = next !== null && rows < segmentLimits.rows && Date.now() < endAt
      pending = more ? fetch(next, signal) : null
      pending?.catch(() => {})
      const { cancelRequested } = await store(page, number++)
      beat({ lane: lane.lane, rows })
      if (cancelRequested || next === null) return { done: next === null, rows, stop: cancelRequested }
      range = next
      if (cancellationSignal.aborted) throw new CancelledFailure('stopped at a checkpoint')
    }
    return { done: false, rows, stop: false }
  } finally {
    stop.abort()
  }
}

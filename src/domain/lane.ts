import type { KeyRange } from './crm.ts'

export type LanePhase = 'pull' | 'sweep' | 'push' | 'verify' | 'upload' | 'send' | 'notes'

/**
 * What a lane reads: people of the CRM by key; people or addresses that changed since the mark; people whom an earlier run owes; records here
 * that are linked to the other entity; records here that are to be pushed; rows of a file; those whom the entries of another run name; the audience of a message.
 */
export type LaneKind =
  | 'people'
  | 'changes'
  | 'addresses'
  | 'late'
  | 'others'
  | 'pending'
  | 'rows'
  | 'given'
  | 'audience'

/** Fewer rows than this are not worth a lane of their own. */
const rowsPerLane = 1000

/** How many key ranges to read side by side: never more than the connection's concurrent requests. */
export const laneCount = (total: number | null, concurrency: number): number =>
  total === null ? 1 : Math.max(1, Math.min(concurrency, Math.ceil(total / rowsPerLane)))

/** Where to ask for the keys that divide `total` rows into `lanes` parts: 0-based offsets. */
export const laneOffsets = (total: number, lanes: number): number[] =>
  Array.from({ length: lanes - 1 }, (_, index) => Math.floor(((index + 1) * total) / lanes))

/** Ranges between the keys, the first and the last one open. Keys that are missing or repeated join their neighbours. */
export const laneRanges = (keys: readonly (string | null)[]): KeyRange[] => {
  const borders = keys.filter((key, index): key is string => key !== null && keys.indexOf(key) === index)
  return [null, ...borders].map((after, index) => ({ after, upTo: borders[index] ?? null }))
}

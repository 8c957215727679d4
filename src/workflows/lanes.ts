import type { SegmentResult } from '../activities/segment.ts'

/** Reads all lanes side by side, each to its end, segment by segment. `onRows` learns of every segment. Answers false when asked to stop. */
export const readLanes = async (
  lanes: readonly number[],
  segment: (lane: number, number: number) => Promise<SegmentResult>,
  onRows: (rows: number) => void,
): Promise<boolean> => {
  const finished = await Promise.all(
    lanes.map(async (lane) => {
      for (let number = 1; ; number += 1) {
        const result = await segment(lane, number)
        onRows(result.rows)
        if (result.stop) return false
        if (result.done) return true
      }
    }),
  )
  return finished.every(Boolean)
}

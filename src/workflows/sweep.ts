import type { RunInput } from '../activities/dependencies.ts'
import { bulk, crm } from './activities.ts'
import type { holding } from './held.ts'
import { readLanes } from './lanes.ts'

/** Differences that are left after this many rounds stay visible in the ledger (docs/rules.md). */
const rounds = 3

/** R15: reads all keys of the entity, then settles what differs, id by id. */
export const sweep = async (
  input: RunInput,
  held: ReturnType<typeof holding>,
  onKeys: (keys: number) => void,
): Promise<void> => {
  const { lanes } = await held(() =>
    crm.beginSweep.executeWithOptions({ summary: 'plan the comparison of keys' }, [input]),
  )
  const read = await readLanes(
    lanes,
    (lane, number) =>
      held(() =>
        bulk.sweepSegment.executeWithOptions({ summary: `keys of lane ${lane}, segment ${number}` }, [
          { ...input, lane },
        ]),
      ),
    onKeys,
  )
  if (!read) return
  for (let round = 1; round <= rounds;) {
    const { left, more } = await held(() =>
      bulk.settleDifferences.executeWithOptions({ summary: `settle differences, round ${round}` }, [input]),
    )
    if (left === 0) return
    if (!more) round += 1
  }
}

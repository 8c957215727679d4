import type { RunInput } from '../activities/dependencies.ts'
import type { RunState } from '../domain/run.ts'
import { bulk, crm } from './activities.ts'
import { finishRun, type holding } from './held.ts'
import { readLanes } from './lanes.ts'

/** Differences that are left after this many rounds stay visible in the ledger (docs/rules.md). */
const rounds = 3

type Held = ReturnType<typeof holding>

/** Answers whether the two sides agree. */
const settle = async (input: RunInput, held: Held): Promise<boolean> => {
  for (let round = 1; round <= rounds;) {
    const { left, more } = await held(() =>
      bulk.settleDifferences.executeWithOptions({ summary: `settle differences, round ${round}` }, [input]),
    )
    if (left === 0) return true
    if (!more) round += 1
  }
  return false
}

/** R15: reads all keys of the entity, then settles what differs, id by id. Answers whether the two sides agree. */
export const sweep = async (input: RunInput, held: Held, onKeys: (keys: number) => void): Promise<boolean> => {
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
  return read && settle(input, held)
}

/** Draws up the ledger. Where people here, or other lists, have changed something since both sides agreed, that is settled first. */
export const finishSwept = async (agreed: boolean, input: RunInput, held: Held): Promise<{ state: RunState }> => {
  let settles = agreed
  for (let round = 1; ; round += 1) {
    const drawnUp = await finishRun(input, {}, settles && round < rounds)
    if (drawnUp.state !== 'running') return drawnUp
    settles = await settle(input, held)
  }
}

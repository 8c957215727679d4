import type { RunInput } from '../activities/dependencies.ts'
import { bulk, crm, writing } from './activities.ts'
import type { holding } from './held.ts'
import { readLanes } from './lanes.ts'

/** Takes a sync back, the other way round: what it pushed, then what it pulled. */
export const undo = async (
  input: RunInput,
  held: ReturnType<typeof holding>,
  say: (step: string, done?: { rows?: number }) => void,
): Promise<void> => {
  say('planning')
  const { push, pull } = await held(() => crm.beginUndo.executeWithOptions({ summary: 'plan the undo' }, [input]))
  for (const lane of push) {
    const restore = (_: number, segment: number) =>
      held(() =>
        writing.undoPushSegment.executeWithOptions(
          { summary: lane === 0 ? `set back in the CRM, segment ${segment}` : `what was put off, segment ${segment}` },
          [{ ...input, lane }],
        ),
      )
    const done = await readLanes([lane], restore, (rows) => say('setting values back in the CRM', { rows }))
    if (!done) return
  }
  const restore = (lane: number, segment: number) =>
    held(() =>
      bulk.undoPullSegment.executeWithOptions({ summary: `set back here, lane ${lane}, segment ${segment}` }, [
        { ...input, lane },
      ]),
    )
  await readLanes(pull, restore, (rows) => say('setting values back here', { rows }))
}

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
  let last = false
  for (const lane of push) {
    const restore = async (_: number, segment: number) => {
      const sent = await held(() =>
        writing.undoPushSegment.executeWithOptions(
          { summary: lane === 0 ? `set back in the CRM, segment ${segment}` : `what was put off, segment ${segment}` },
          [{ ...input, lane }],
        ),
      )
      last = sent.last === true
      return sent
    }
    const done = await readLanes([lane], restore, (rows) => say('setting values back in the CRM', { rows }))
    if (!done) return
    if (last) break
  }
  const restore = (lane: number, segment: number) =>
    held(() =>
      bulk.undoPullSegment.executeWithOptions({ summary: `set back here, lane ${lane}, segment ${segment}` }, [
        { ...input, lane },
      ]),
    )
  await readLanes(pull, restore, (rows) => say('setting values back here', { rows }))
}

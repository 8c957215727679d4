import { CancellationScope, setCurrentDetails, setHandler } from '@temporalio/workflow'
import type { RunInput } from '../activities/dependencies.ts'
import type { RunState } from '../domain/run.ts'
import { bulk, crm, writing } from './activities.ts'
import { finishRun, holding, outcomeOf } from './held.ts'
import { progressQuery, type Progress } from './import.ts'
import { readLanes } from './lanes.ts'
import { finishSwept, sweep } from './sweep.ts'
import { undo } from './undo.ts'

type Held = ReturnType<typeof holding>
type Say = (step: string, done?: { rows?: number; keys?: number }) => void

/** R12: pulls, decides, pushes; a preview does the same and writes nothing (S8). */
const sync = async (input: RunInput, held: Held, say: Say): Promise<void> => {
  const previews = input.kind === 'preview'
  const pulling = previews ? 'previewing changes from the CRM' : 'pulling changes from the CRM'
  const pushing = previews ? 'previewing changes to the CRM' : 'pushing changes to the CRM'
  say('planning')
  const { lanes, push } = await held(() => crm.beginSync.executeWithOptions({ summary: 'plan the sync' }, [input]))
  say(pulling)
  const pull = (lane: number, segment: number) =>
    held(() =>
      bulk.pullSegment.executeWithOptions({ summary: `pull lane ${lane}, segment ${segment}` }, [{ ...input, lane }]),
    )
  const pulled = await readLanes(lanes, pull, (rows) => say(pulling, { rows }))
  if (!pulled || !push) return
  say(pushing)
  const { lanes: pushed } = await held(() => crm.beginPush.executeWithOptions({ summary: 'plan the push' }, [input]))
  let last = false
  for (const lane of pushed) {
    const send = async (_: number, segment: number) => {
      const sent = await held(() =>
        writing.pushSegment.executeWithOptions(
          { summary: lane === 0 ? `push, segment ${segment}` : `push what was put off, segment ${segment}` },
          [{ ...input, lane }],
        ),
      )
      last = sent.last === true
      return sent
    }
    const done = await readLanes([lane], send, (rows) => say(pushing, { rows }))
    if (!done || last) return
  }
}

/** A run of one list: a sync in both directions or its preview, a key sweep (R15), a verification of keys and values, or the undo of a sync. */
export async function syncList(input: RunInput): Promise<{ state: RunState }> {
  const progress: Progress = { step: 'planning', rows: 0, keys: 0 }
  setHandler(progressQuery, () => progress)
  const held = holding(input)
  const say: Say = (step, { rows = 0, keys = 0 } = {}) => {
    progress.step = step
    progress.rows += rows
    progress.keys += keys
    setCurrentDetails(`**${step}**\n\n${progress.rows} people, ${progress.keys} keys compared`)
  }
  const compare = () => sweep(input, held, (keys) => say('comparing keys with the CRM', { keys }))
  try {
    const syncs = input.kind === 'sync' || input.kind === 'preview'
    if (syncs) await sync(input, held, say)
    else if (input.kind === 'undo') await undo(input, held, say)
    else if (input.kind === 'verify') await verify(input, held, say)
    const agreed = !syncs && input.kind !== 'undo' && (await compare())
    say('drawing up the ledger')
    return await finishSwept(agreed, input, held)
  } catch (error) {
    return CancellationScope.nonCancellable(() => finishRun(input, outcomeOf(error)))
  }
}

/** Reads everybody and compares the values, without a write. */
const verify = async (input: RunInput, held: Held, say: Say): Promise<void> => {
  const { lanes } = await held(() => crm.beginVerify.executeWithOptions({ summary: 'plan the verification' }, [input]))
  await readLanes(
    lanes,
    (lane, segment) =>
      held(() =>
        bulk.verifySegment.executeWithOptions({ summary: `compare lane ${lane}, segment ${segment}` }, [
          { ...input, lane },
        ]),
      ),
    (rows) => say('comparing values with the CRM', { rows }),
  )
}

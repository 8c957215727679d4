import { condition, continueAsNew, defineSignal, isCancellation, setHandler } from '@temporalio/workflow'
import type { PushInput } from '../activities/optOut.ts'
import { draining } from './activities.ts'

/** Somebody has opted out, or the connection works again. */
const wake = defineSignal('wake')

/** Rounds of a history, each of at most ten events. */
const mostRounds = 200
/** After a failure that nobody named. */
const afterBugMs = 60_000

const push = async (input: PushInput): Promise<{ waitMs: number | null; paused: boolean }> => {
  try {
    return await draining.pushOptOuts.executeWithOptions({ summary: 'opt-outs' }, [input])
  } catch (error) {
    if (isCancellation(error)) throw error
    return { waitMs: afterBugMs, paused: true }
  }
}

/**
 * Writes the opt-outs of a connection into the CRM until none is open (R34). Where each stands is in the database; it is woken by signal-with-start, so that
 * nothing that comes at its end is lost.
 */
export async function pushOptOuts(input: PushInput): Promise<void> {
  let asked = false
  setHandler(wake, () => {
    asked = true
  })
  let pauses = input.pauses ?? 0
  for (let round = 0; round < mostRounds; round += 1) {
    asked = false
    const { waitMs, paused } = await push({ ...input, pauses })
    pauses = paused ? pauses + 1 : 0
    if (waitMs === null && !asked) return
    if (waitMs !== null && waitMs > 0) await condition(() => asked, waitMs)
  }
  await continueAsNew<typeof pushOptOuts>({ ...input, pauses })
}

import { condition, continueAsNew, defineSignal, isCancellation, setHandler } from '@temporalio/workflow'
import type { Drained, DrainInput } from '../activities/form.ts'
import { draining } from './activities.ts'
import { resumeSignal } from './held.ts'

/** Somebody has submitted a form, or the connection works again. */
const wake = defineSignal('wake')

/** Rounds of a history, each of at most ten events. */
const mostRounds = 200
/** A failure that nobody named: it must not keep the others from going on for ever. */
const afterBugMs = 60_000

const drain = async (input: DrainInput): Promise<Drained> => {
  try {
    return await draining.drainSubmissions.executeWithOptions({ summary: 'submissions' }, [input])
  } catch (error) {
    if (isCancellation(error)) throw error
    return { waitMs: afterBugMs, paused: true }
  }
}

/**
 * Drains the submissions of a connection, or of an account without one, until nothing is open (design.md 4.10). Where each stands is in the database; it
 * is woken by signal-with-start, so that nothing that comes at its end is lost.
 */
export async function drainForms(input: DrainInput): Promise<void> {
  let asked = false
  const ask = (): void => {
    asked = true
  }
  setHandler(wake, ask)
  setHandler(resumeSignal, ask)
  let pauses = input.pauses ?? 0
  for (let round = 0; round < mostRounds; round += 1) {
    asked = false
    const { waitMs, paused, idle } = await drain({ ...input, pauses })
    if (paused) pauses += 1
    else if (idle !== true) pauses = 0
    if (waitMs === null && !asked) return
    if (waitMs !== null && waitMs > 0) await condition(() => asked, waitMs)
  }
  await continueAsNew<typeof drainForms>({ ...input, pauses })
}

import { CancellationScope, continueAsNew, setCurrentDetails, setHandler } from '@temporalio/workflow'
import type { RunInput } from '../activities/dependencies.ts'
import type { Outcome } from '../activities/run.ts'
import type { RunState } from '../domain/run.ts'
import { local, writing } from './activities.ts'
import { holding, outcomeOf } from './held.ts'
import { progressQuery, type Progress } from './import.ts'

/** Segments of a history, each of some ten events: a send that waits for days makes many. */
const mostSegments = 500

/**
 * G3, R31: brings the notes of a message into the CRM until none is open and no mail is on its way any more. Where each stands is in the database; what comes
 * after its end starts another run.
 */
export async function deliverNotes(input: RunInput): Promise<{ state: RunState }> {
  const progress: Progress = { step: 'making notes', rows: 0, keys: 0 }
  setHandler(progressQuery, () => progress)
  const held = holding(input)
  const finish = (outcome: Outcome) =>
    local.finishNotes.executeWithOptions({ summary: 'draw up the ledger' }, [{ ...input, outcome }])
  try {
    for (let number = 1; number <= mostSegments; number += 1) {
      const { done, notes } = await held(() =>
        writing.noteSegment.executeWithOptions({ summary: `notes, segment ${number}` }, [input]),
      )
      progress.rows += notes
      setCurrentDetails(`**${progress.step}**\n\n${progress.rows} notes`)
      const { state } = done ? await finish({}) : { state: null }
      if (state !== null) return { state }
    }
  } catch (error) {
    const { state } = await CancellationScope.nonCancellable(() => finish(outcomeOf(error)))
    return { state: state ?? 'cancelled' }
  }
  return continueAsNew<typeof deliverNotes>(input)
}

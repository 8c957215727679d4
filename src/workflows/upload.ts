import { CancellationScope, setCurrentDetails, setHandler } from '@temporalio/workflow'
import type { RunInput } from '../activities/dependencies.ts'
import type { Outcome } from '../activities/run.ts'
import type { RunState } from '../domain/run.ts'
import { bulk, local } from './activities.ts'
import { outcomeOf } from './held.ts'
import { progressQuery, type Progress } from './import.ts'
import { readLanes } from './lanes.ts'

/** Brings the rows of a file that was received into its list. */
export async function uploadList(input: RunInput): Promise<{ state: RunState }> {
  const progress: Progress = { step: 'reading rows', rows: 0, keys: 0 }
  setHandler(progressQuery, () => progress)
  const say = (step: string, rows = 0): void => {
    progress.step = step
    progress.rows += rows
    setCurrentDetails(`**${step}**\n\n${progress.rows} rows`)
  }
  const finish = (outcome: Outcome) =>
    local.finishUpload.executeWithOptions({ summary: 'draw up the ledger' }, [{ ...input, outcome }])
  try {
    say('reading rows')
    await readLanes(
      [0],
      (_, number) => bulk.applyUpload.executeWithOptions({ summary: `rows, segment ${number}` }, [input]),
      (rows) => say('reading rows', rows),
    )
    say('drawing up the ledger')
    return await finish({})
  } catch (error) {
    return CancellationScope.nonCancellable(() => finish(outcomeOf(error)))
  }
}

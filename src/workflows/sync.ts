import { CancellationScope, setCurrentDetails, setHandler } from '@temporalio/workflow'
import type { RunInput } from '../activities/dependencies.ts'
import type { Outcome } from '../activities/run.ts'
import type { RunState } from '../domain/run.ts'
import { local } from './activities.ts'
import { holding, outcomeOf } from './held.ts'
import { progressQuery, type Progress } from './import.ts'
import { sweep } from './sweep.ts'

/** A key sweep of one list (R15): what is gone from the CRM is marked, what is missing here is fetched. */
export async function syncList(input: RunInput): Promise<{ state: RunState }> {
  const progress: Progress = { step: 'comparing keys with the CRM', rows: 0, keys: 0 }
  setHandler(progressQuery, () => progress)
  const held = holding(input)
  const finish = (outcome: Outcome) =>
    local.finishRun.executeWithOptions({ summary: 'draw up the ledger' }, [{ ...input, outcome }])
  try {
    await sweep(input, held, (keys) => {
      progress.keys += keys
      setCurrentDetails(`**${progress.step}**\n\n${progress.keys} keys compared`)
    })
    return await finish({})
  } catch (error) {
    return CancellationScope.nonCancellable(() => finish(outcomeOf(error)))
  }
}

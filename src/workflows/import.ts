import { CancellationScope, defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow'
import type { RunInput } from '../activities/dependencies.ts'
import type { RunState } from '../domain/run.ts'
import { bulk, crm } from './activities.ts'
import { finishRun, holding, outcomeOf } from './held.ts'
import { readLanes } from './lanes.ts'
import { finishSwept, sweep } from './sweep.ts'

export type Progress = { step: string; rows: number; keys: number }
export const progressQuery = defineQuery<Progress>('progress')

/** I1–I5: reads all people of an entity into its list, compares the ids with the CRM, and draws up the ledger. */
export async function importList(input: RunInput & { entity: 'lead' | 'contact' }): Promise<{ state: RunState }> {
  const progress: Progress = { step: 'planning', rows: 0, keys: 0 }
  setHandler(progressQuery, () => progress)
  const held = holding(input)
  const people = input.entity === 'lead' ? 'leads' : 'contacts'
  const say = (step: string): void => {
    progress.step = step
    setCurrentDetails(`**${step}**\n\n${progress.rows} ${people} read, ${progress.keys} keys compared`)
  }
  try {
    say('planning')
    const { lanes } = await held(() =>
      crm.beginImport.executeWithOptions({ summary: `plan the import of all ${people}` }, [input]),
    )
    say(`reading ${people}`)
    const read = await readLanes(
      lanes,
      (lane, number) =>
        held(() =>
          bulk.importSegment.executeWithOptions({ summary: `lane ${lane}, segment ${number}` }, [{ ...input, lane }]),
        ),
      (rows) => {
        progress.rows += rows
        say(`reading ${people}`)
      },
    )
    const agreed =
      read &&
      (await sweep(input, held, (keys) => {
        progress.keys += keys
        say('comparing keys with the CRM')
      }))
    say('drawing up the ledger')
    return await finishSwept(agreed, input, held)
  } catch (error) {
    return CancellationScope.nonCancellable(() => finishRun(input, outcomeOf(error)))
  }
}

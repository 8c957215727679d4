import { condition, defineSignal, setHandler } from '@temporalio/workflow'
import { telling } from './activities.ts'

type Input = { accountId: string; deliveryId: string }

/** A person wants the next attempt at once. */
const wake = defineSignal('wake')

/** Tries to hand over one delivery until it has arrived or no attempt is left. When the next is due stands in the database. */
export async function deliverAlert(input: Input): Promise<void> {
  let asked = false
  setHandler(wake, () => {
    asked = true
  })
  for (;;) {
    asked = false
    const { waitMs } = await telling.sendAlert.executeWithOptions({ summary: 'one attempt' }, [input])
    if (waitMs !== null) await condition(() => asked, waitMs)
    else if (!asked) return
  }
}

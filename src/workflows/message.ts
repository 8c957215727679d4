import { CancellationScope, condition, defineSignal, setCurrentDetails, setHandler, sleep } from '@temporalio/workflow'
import type { RunInput } from '../activities/dependencies.ts'
import type { Outcome } from '../activities/run.ts'
import type { RunState } from '../domain/run.ts'
import { bulk, interactive, local, mailing } from './activities.ts'
import { outcomeOf } from './held.ts'
import { progressQuery, type Progress } from './import.ts'

/** The message is to be sent at another time. */
const reschedule = defineSignal('reschedule')

/** Waits for the time of the message, however often it is changed; the database has it. */
const waitForTime = async (input: RunInput, changes: () => number): Promise<void> => {
  for (;;) {
    const seen = changes()
    const { waitMs } = await local.timeOfMessage.executeWithOptions({ summary: 'look at the time' }, [input])
    if (waitMs === 0) return
    await condition(() => changes() > seen, waitMs)
  }
}

/** Sends a message: waits for its time, freezes its audience, sends in segments until nothing is open. */
export async function sendMessage(input: RunInput): Promise<{ state: RunState }> {
  const progress: Progress = { step: 'waiting for its time', rows: 0, keys: 0 }
  let changed = 0
  setHandler(progressQuery, () => progress)
  setHandler(reschedule, () => {
    changed += 1
  })
  const say = (step: string, rows = 0): void => {
    progress.step = step
    progress.rows += rows
    setCurrentDetails(`**${step}**\n\n${progress.rows} mails`)
  }
  const finish = (outcome: Outcome) =>
    local.finishSend.executeWithOptions({ summary: 'draw up the ledger' }, [{ ...input, outcome }])
  try {
    say('waiting for its time')
    await waitForTime(input, () => changed)
    say('freezing the audience')
    await bulk.beginSend.executeWithOptions({ summary: 'freeze the audience' }, [input])
    for (let segment = 1; ; segment += 1) {
      say('sending')
      const sent = await mailing.sendSegment.executeWithOptions({ summary: `mails, segment ${segment}` }, [input])
      say('sending', sent.rows)
      if (sent.done || sent.stop) break
      if (sent.waitMs > 0) await sleep(sent.waitMs)
    }
    say('drawing up the ledger')
    return await finish({})
  } catch (error) {
    return CancellationScope.nonCancellable(() => finish(outcomeOf(error)))
  }
}

/** A test of a message: a few mails, at once; a person waits for them. */
export async function testMessage(input: { accountId: string; testId: string }): Promise<{ state: 'sent' | 'failed' }> {
  try {
    return await interactive.sendTest.executeWithOptions({ summary: 'send the test' }, [input])
  } catch {
    return local.dropTest.executeWithOptions({ summary: 'forget its addresses' }, [input])
  }
}

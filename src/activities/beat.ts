import { heartbeat } from '@temporalio/activity'
import { AsyncLocalStorage } from 'node:async_hooks'

const beatMs = 5000
const running = new AsyncLocalStorage<{ details: unknown }>()

/** Says how far the activity is, now and with each following beat; a hint for the Temporal UI, never the truth. */
export const beat = (details: unknown): void => {
  const state = running.getStore()
  if (state !== undefined) state.details = details
  heartbeat(details)
}

// oxlint-disable-next-line typescript/no-explicit-any -- any activity
type Activity = (input: any) => Promise<unknown>

/** Lets each activity beat while it runs, whatever it waits for: a worker that dies is noticed by the beats that stay away. */
export const beating = <Activities extends Record<string, Activity>>(activities: Activities): Activities =>
  Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [
      name,
      (input: unknown) =>
        running.run({ details: undefined }, async () => {
          const timer = setInterval(() => heartbeat(running.getStore()?.details), beatMs)
          try {
            return await activity(input)
          } finally {
            clearInterval(timer)
          }
        }),
    ]),
  ) as Activities

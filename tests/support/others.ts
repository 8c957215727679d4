import { setTimeout as sleep } from 'node:timers/promises'
import type { Fairlead } from './fairlead.ts'
import { openOptOuts } from './optOut.ts'

let made = 0

/** Work beside which other people are written to all the time, by opt-outs. */
export const whileOthersAreWritten = async <T>(fairlead: Fairlead, work: () => Promise<T>): Promise<T> => {
  const { control } = fairlead.simulator
  const optOuts = openOptOuts(fairlead)
  const end = new AbortController()
  const writing = (async () => {
    while (!end.signal.aborted) {
      const Email = `another.${(made += 1)}@others.example`
      control.add({ entity: 'lead', values: { Email, LastName: 'Another', DoNotEmail: false } })
      await optOuts.out(Email)
      await sleep(300)
    }
  })()
  try {
    return await work()
  } finally {
    end.abort()
    await writing
  }
}

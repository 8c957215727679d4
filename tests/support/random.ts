import * as fc from 'fast-check'
import { openFairlead } from './fairlead.ts'
import { crowd } from './randomCrowd.ts'
import { cases } from './randomPlan.ts'
import { clearCrm, live, liveCrowd } from './randomRun.ts'
import { openTimelines } from './timeline.ts'

/** `seed`: the same cases each time, unless the environment says otherwise. `previews`: syncs that nothing disturbs are previewed. */
type Size = { cases: number; mostSteps: number; limitMs: number; seed?: number; previews?: boolean }
export type Random = {
  /** Lives random cases through until so many held or the time is over; throws with the seed and the steps of one that did not. */
  holds: (size: Size) => Promise<void>
  /** Lives one case with very many people through, and reads all their timelines. */
  crowd: (size: { of: number; steps: number; seed: number }) => Promise<void>
  close: () => Promise<void>
}

/** How a failure is seen again: what its message names. RANDOM_SHRINK=1 looks for a smaller one, without a limit of time; RANDOM_SEED=any draws anew. */
const { RANDOM_SEED: given, RANDOM_PATH: path, RANDOM_SHRINK: shrink } = process.env

/** One Fairlead and one CRM for many cases, each with people and lists of its own. Waits are short, since faults make many of them. */
export const openRandom = async ({ leadHistory = false }: { leadHistory?: boolean } = {}): Promise<Random> => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '500' }
  const fairlead = await openFairlead({ leads: 0, contacts: 0, environment })
  fairlead.simulator.control.settings({ leadHistory })
  await fairlead.connect()
  const timelines = await openTimelines(fairlead)
  const prefix = `t${Date.now().toString(36)}`
  let count = 0
  return {
    async close() {
      await timelines.close()
      await fairlead.close()
    },
    async crowd({ of, steps, seed: usual }) {
      count += 1
      const seed = given === 'any' ? Date.now() % 2 ** 31 : Number(given ?? usual)
      try {
        await liveCrowd(fairlead, `${prefix}-${count}`, crowd({ of, steps, seed }), timelines)
      } catch (error) {
        throw new Error(`${String(error)}\n\nAgain by RANDOM_SEED=${seed}`, { cause: error })
      } finally {
        clearCrm(fairlead)
      }
    },
    async holds({ cases: numRuns, mostSteps, limitMs, seed: usual, previews }) {
      const seed = given === 'any' ? undefined : given === undefined ? usual : Number(given)
      const property = fc.asyncProperty(cases(mostSteps), async (plan) => {
        count += 1
        try {
          await live(fairlead, `${prefix}-${count}`, plan, timelines, previews)
        } finally {
          clearCrm(fairlead)
        }
      })
      await fc.assert(property, {
        numRuns,
        ...(seed === undefined ? {} : { seed }),
        ...(path === undefined ? {} : { path }),
        ...(shrink === '1'
          ? {}
          : { endOnFailure: true, interruptAfterTimeLimit: limitMs, markInterruptAsFailure: false }),
        reporter({ failed, seed: drawn, counterexamplePath, counterexample, errorInstance }) {
          if (!failed) return
          const cause = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
          const again = `RANDOM_SEED=${drawn} RANDOM_PATH=${counterexamplePath}`
          throw new Error(`${cause}\n\nAgain by ${again}\n${JSON.stringify(counterexample?.[0])}`, {
            cause: errorInstance,
          })
        },
      })
    },
  }
}

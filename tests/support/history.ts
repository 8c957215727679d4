import { Worker } from '@temporalio/worker'
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { Fairlead } from './fairlead.ts'

const folder = join(import.meta.dirname, '..', 'histories')
export type History = Parameters<typeof historyToJSON>[0]

export const fetchHistory = ({ wiring }: Fairlead, workflowId: string): Promise<History> =>
  wiring.flows.client.workflow.getHandle(workflowId).fetchHistory()

/** Replays one history after another with the code of today, all in one worker, which begins with the first; fails with what is wrong with the history it was given. */
export const openReplayer = () => {
  const waiting: History[] = []
  const histories = function* () {
    for (let history = waiting.shift(); history !== undefined; history = waiting.shift())
      yield { workflowId: 'recorded', history }
  }
  const options = { workflowBundle: { codePath: inject('workflowBundle') }, replayName: 'replay' }
  const results = Worker.runReplayHistories(options, histories())
  return {
    replay: async (history: History): Promise<void> => {
      waiting.push(history)
      const { done, value } = await results.next()
      if (done === true) throw new Error('the replay has ended')
      if (value.error !== undefined) throw value.error
    },
    close: async (): Promise<void> => {
      await results.return?.()
    },
  }
}

/** The id of the workflow that checked credentials last. */
export const checkOf = async ({ db }: Fairlead): Promise<string> => {
  const [candidate] = await db.query.candidates.findMany()
  return `connection:${candidate!.connectionId}:${candidate!.id}`
}

/** Recorded histories by name, `<workflow>.<what happened>`. */
export const recorded = (): { name: string; history: History }[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => ({
      name: file.replace(/\.json$/, ''),
      history: historyFromJSON(JSON.parse(readFileSync(join(folder, file), 'utf8'))),
    }))

/** Keeps a history that a test has just made, unless one of that name is kept already; not on which machine it was made. */
export const record = (name: string, history: History): void => {
  const file = join(folder, `${name}.json`)
  if (existsSync(file)) return
  const json = historyToJSON(history).replaceAll(hostname(), 'machine').replaceAll(process.cwd(), '.')
  writeFileSync(file, `${json.trim()}\n`)
}

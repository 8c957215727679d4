import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Fairlead } from './fairlead.ts'

const folder = join(import.meta.dirname, '..', 'histories')
export type History = Parameters<typeof historyToJSON>[0]

export const fetchHistory = ({ wiring }: Fairlead, workflowId: string): Promise<History> =>
  wiring.flows.client.workflow.getHandle(workflowId).fetchHistory()

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

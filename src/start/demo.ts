import { setTimeout as sleep } from 'node:timers/promises'
import { ApiProblem, type Api } from './api.ts'
import { follow } from './progress.ts'
import { getRun, isOver, type Run } from './run.ts'
import { say } from './say.ts'

type Connection = {
  state: string
  url: string | null
  check: { state: string; problem: { detail: string; remedy: string } | null } | null
}
type Entity = 'lead' | 'contact'

const wanted = {
  lead: ['Title', 'Company', 'WorkPhone', 'Mobile', 'Industry', 'LeadSource', 'Address/City', 'Address/Country'],
  contact: ['Title', 'AccountName', 'WorkPhone', 'Mobile', 'Type', 'Address/City', 'Address/Country'],
}

export type Crm = { url: string; username: string; password: string }

/** Connects the simulator unless that is done, imports leads and contacts unless that is done, and returns both imports' ledgers. */
export const runDemo = async (api: Api, crm: Crm, signal: AbortSignal): Promise<Run[]> => {
  await connect(api, crm, signal)
  const runIds: string[] = []
  for (const entity of ['lead', 'contact'] as const) runIds.push(await importRun(api, entity))
  const runs = await Promise.all(runIds.map((id) => getRun(api, id)))
  if (runs.every(isOver)) return runs
  say('Importing all leads and all contacts of the simulated CRM …')
  return follow(api, runIds, signal)
}

const hostOf = (url: string | null) => (url !== null && URL.canParse(url) ? new URL(url).host : '')

const connect = async (api: Api, crm: Crm, signal: AbortSignal) => {
  const known = (await api.call('GET', '/v1/connection')) as Connection
  if (known.state === 'connected' && hostOf(known.url) === hostOf(crm.url)) return
  let connection = (await api.call('PUT', '/v1/connection', crm)) as Connection
  while (connection.check?.state === 'checking') {
    await sleep(250, undefined, { signal })
    connection = (await api.call('GET', '/v1/connection')) as Connection
  }
  if (connection.state === 'connected') return
  const { detail, remedy } = connection.check?.problem ?? { detail: `It is ${connection.state}.`, remedy: '' }
  throw new Error(`The simulated CRM could not be connected. ${detail} ${remedy}`.trim())
}

/** A new import, the one under way, or the last import of the list that the entity has already. */
const importRun = async (api: Api, entity: Entity): Promise<string> => {
  const live = (await api.call('GET', `/v1/crm/fields?entity=${entity}`)) as { items: { name: string }[] }
  const names = new Set(live.items.map(({ name }) => name))
  const fields = wanted[entity].filter((name) => names.has(name))
  try {
    const run = (await api.call('POST', '/v1/imports', { entity, fields })) as Run
    return run.id
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'alreadyImported') throw error
    return lastImport(api, (error.body as { list: { id: string } }).list.id)
  }
}

const lastImport = async (api: Api, listId: string) => {
  const { items } = (await api.call('GET', `/v1/lists/${listId}/runs?kind=import&limit=1`)) as { items: Run[] }
  const [run] = items
  if (run) return run.id
  throw new Error(`The list ${listId} says that it was imported, but no import of it is on record.`)
}

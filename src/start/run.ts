import type { Api } from './api.ts'

/** What the start needs of a run. */
export type Run = {
  id: string
  state: 'queued' | 'running' | 'held' | 'succeeded' | 'incomplete' | 'failed' | 'cancelled'
  list: { id: string; name: string } | null
  progress: { done: number; total: number; perSecond: number; secondsLeft: number | null }
  counts: Partial<Record<string, Counts>>
  balance: {
    balanced: boolean | null
    crmTotal: number | null
    listTotal: number | null
    explained: Record<string, number>
    difference: number | null
  }
  error: { detail: string; remedy: string } | null
}
export type Counts = Record<'read' | 'created' | 'updated' | 'unchanged' | 'skipped' | 'rejected', number>

export const getRun = async (api: Api, runId: string): Promise<Run> =>
  (await api.call('GET', `/v1/runs/${runId}`)) as Run

export const isOver = ({ state }: Run): boolean => !['queued', 'running', 'held'].includes(state)
export const isGreen = ({ state, balance }: Run): boolean => state === 'succeeded' && balance.balanced === true

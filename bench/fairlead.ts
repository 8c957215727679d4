import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as accounts from '../src/db/account.ts'
import * as connections from '../src/db/connection.ts'
import * as imports from '../src/db/import.ts'
import * as runs from '../src/db/run/state.ts'
import { isOver } from '../src/domain/run.ts'
import { credentials, type SimulatedCrm } from './crm.ts'
import { chosenFields } from './fields.ts'
import type { Stage } from './stage.ts'

export type Imported = {
  listId: string
  rows: number
  /** from the request to the last stored page */
  readMs: number
  /** from the request to `succeeded`, with the comparison of all keys */
  wholeMs: number
  historyEvents: number
}

type Listener = {
  /** the run was asked for */
  asked?: (run: { runId: string; listId: string }) => void
  /** every lane is read; the comparison of keys begins */
  read?: () => void
}

export type Customer = {
  accountId: string
  /** imports all leads into a new list, through a real workflow */
  importLeads: (listener?: Listener) => Promise<Imported>
}

const until = async <T>(
  what: string,
  signal: AbortSignal,
  probe: () => Promise<T | undefined>,
  timeoutMs: number,
): Promise<T> => {
  for (const deadline = Date.now() + timeoutMs; ;) {
    signal.throwIfAborted()
    const found = await probe()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for: ${what}`)
    await sleep(25, undefined, { signal })
  }
}

type Stamp = { seconds?: unknown; nanos?: number | null } | null | undefined
const msOf = (at: Stamp): number => Number(String(at?.seconds ?? 0)) * 1000 + (at?.nanos ?? 0) / 1e6

/** When the last segment of the read phase ended, and how long the history is: by the workflow's own history. */
const readHistory = async ({ wiring }: Stage, workflowId: string): Promise<{ readAt: number; length: number }> => {
  const { events } = await wiring.flows.client.workflow.getHandle(workflowId).fetchHistory()
  const segments = new Set<string>()
  let readAt = 0
  for (const event of events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes
    if (scheduled?.activityType?.name === 'importSegment') segments.add(String(event.eventId))
    const completed = event.activityTaskCompletedEventAttributes
    if (completed && segments.has(String(completed.scheduledEventId))) readAt = msOf(event.eventTime)
  }
  return { readAt, length: events?.length ?? 0 }
}

/** An account of its own, connected to the simulated CRM. */
export const openCustomer = async (stage: Stage, crm: SimulatedCrm): Promise<Customer> => {
  const { db, secrets, relay } = stage.wiring
  const { id: accountId } = await accounts.insert(db, secrets, { name: `Bench ${randomUUID()}` })
  await connections.propose(db, secrets, accountId, { url: crm.url, ...credentials, mode: 'connect' })
  await relay()
  await until(
    'the connection to the simulator',
    stage.signal,
    async () => ((await connections.findActive(db, accountId))?.state === 'connected' ? true : undefined),
    30_000,
  )

  return {
    accountId,
    async importLeads({ asked, read } = {}) {
      const began = Date.now()
      const { runId } = await imports.request(db, accountId, { entity: 'lead', fields: chosenFields, newList: true })
      await relay()
      const { listId } = await runs.get(db, accountId, runId)
      asked?.({ runId, listId: listId! })
      let told = false
      const over = async () => {
        const run = await runs.get(db, accountId, runId)
        if (run.phase !== 'read' && !told) {
          told = true
          read?.()
        }
        return isOver(run.state) ? run : undefined
      }
      const run = await until('the import', stage.signal, over, 3_600_000)
      const rows = run.counts?.['pull']?.created ?? 0
      if (run.state !== 'succeeded' || rows !== crm.leads) {
        throw new Error(
          `the import ended ${run.state} with ${rows} of ${crm.leads} leads: ${JSON.stringify(run.error)}`,
        )
      }
      const { readAt, length } = await readHistory(stage, run.workflowId)
      return {
        listId: listId!,
        rows,
        readMs: readAt - began,
        wholeMs: run.finishedAt!.getTime() - began,
        historyEvents: length,
      }
    },
  }
}

/** The next measurement finds an empty table and no writing left over from the one before. */
export const clearRecords = async ({ wiring }: Stage): Promise<void> => {
  await wiring.db.$client`truncate records`
  await wiring.db.$client`checkpoint`
}

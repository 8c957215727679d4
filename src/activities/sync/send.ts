import type { LaneKey } from '../../db/lane.ts'
import { entryOf, storeOutcomes } from '../../db/sync/push.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import { settledBy, shownOf, takesOver, type Shown } from '../../db/sync/shown.ts'
import type { CrmEntity, CrmValue, CrmWarning } from '../../domain/crm.ts'
import { isFairleadError } from '../../domain/errors.ts'
import { changedSince, changesOf, type Outcome } from '../../domain/push.ts'
import { sameValue } from '../../domain/values.ts'
import { beat } from '../beat.ts'
import { isEverybodys, isUnsure, looking, mostTries, proving, type ProveOthers } from '../proof.ts'
import { judged, type Refuse } from '../refusal.ts'
import { refusedAddress, refusesAddress, withLeftOut } from './address.ts'
import { createPerson } from './create.ts'
import type { Job, Question } from './job.ts'
import { inOrder } from './order.ts'
import { pretending } from './preview.ts'
import { resolve } from './resolve.ts'
import { restorePerson } from './restore.ts'
import { batchSize, together } from './together.ts'
import { writePerson } from './write.ts'

/** So many are enough to keep every slot at work while the next page is looked up. */
const fewLeft = 60

export type Push = Question & {
  key: LaneKey
  /** nothing new is begun; and somewhat later, what is under way ends */
  signal: AbortSignal
  late: AbortSignal
  width: number
  endAt: number
  refuse: Refuse
  /** what a preview has shown of the records of a page, for a run that applies it */
  shown?: Shown
  /** records that the run has settled before */
  settled?: ReadonlySet<string>
  /** a page was sent one by one: now a batch may be tried against that pace, once a segment */
  mayTry: boolean
}

const backOffMs = (tries: number): number => Math.min(30_000, 500 * 2 ** tries)

const work = async (push: Push, job: Job): Promise<Outcome> => {
  if (job.kind === 'settled') return job.outcome
  if (job.kind === 'restore') return restorePerson(push, job)
  if (refusesAddress(push.plan, job)) return refusedAddress(push.plan, job.row)
  const outcome = await (job.kind === 'create' ? createPerson(push, job) : writePerson(push, job))
  return withLeftOut(push.plan, outcome)
}

const entityOf = (job: Job): CrmEntity =>
  job.kind === 'write' || job.kind === 'restore' ? (job.person?.entity ?? 'lead') : 'lead'

/** The CRM has what was shown to be written, and it is pending here: done by an attempt that could not write it down, or by somebody else. */
const isDone = ({ shown, plan }: Push, job: Job): boolean => {
  if (job.kind !== 'write') return false
  const { entity, person } = job.person
  const { columns } = plan.of[entity]
  const has = (key: string, value: unknown): boolean => {
    const field = columns.find((column) => column.key === key)?.field.name
    return field !== undefined && key in job.row.agreed && sameValue(person.values[field], value as CrmValue)
  }
  return shown!.ofRecord(job.row.id).some(({ kind, changes }) => {
    const sent = Object.entries(changes ?? {}).filter(([, { side }]) => side === undefined)
    return kind === 'updated' && sent.length > 0 && sent.every(([key, { after }]) => has(key, after))
  })
}

/**
 * S8: undefined where a record comes to what a preview has shown of it, else the outcome that says so. Records that go into another one, and people who
 * are gone, are compared when that is stored; with what has failed or waits there is nothing to compare. A record that has nothing to be sent may
 * have something as soon as another one went into it.
 */
const differing = async (push: Push, job: Job): Promise<Outcome | undefined> => {
  const { shown, settled, plan, crm, runId, key } = push
  if (shown === undefined) return undefined
  const would = await work({ ...push, crm: pretending(crm), plan: { ...plan, previewId: runId } }, job)
  const { kind, code, record, link, gone, into } = would
  if (gone !== undefined || into !== undefined || kind === 'delayed' || code === 'crmFailed') return undefined
  const later: Outcome = { record, kind: 'delayed', code: null, warnings: [] }
  if (kind !== 'unchanged' || link !== undefined) {
    if (shown.has(entryOf(would))) return undefined
    return key.lane === 0 && takesOver(shown, job.row) ? later : changedSince(record, changesOf(would))
  }
  if (settled?.has(record.id) || isDone(push, job) || shown.ofRecord(record.id).length === 0) return undefined
  return key.lane === 0 ? later : changedSince(record)
}

/**
 * What one record came to. A failure that may pass puts it off; one that is the record's own rejects it, and the run goes on (R21, R22). It counts for
 * the record only while the CRM answers others: what falls into an outage of all is nobody's.
 */
const attempt = async (by: Push, job: Job, tries: number, proveOthers: ProveOthers): Promise<Outcome> => {
  const record = job.row
  const isLook = tries >= mostTries
  const push = isLook ? { ...by, crm: looking(by.crm) } : by
  try {
    const outcome =
      (await differing(push, job)) ?? (await judged(push.refuse, push.options.signal, () => work(push, job)))
    if (outcome.kind !== 'delayed') return outcome
    const { afterMs = 0 } = outcome.delay ?? {}
    return { ...outcome, delay: { tries, afterMs } }
  } catch (error) {
    if (!isFairleadError(error) || push.signal.aborted) throw error
    const { code, kind, details } = error
    const said = { record, warnings: [], ...(details.crm && { crm: details.crm }) }
    if (kind === 'record') return { ...said, kind: 'rejected', code }
    if (kind !== 'transient' || isEverybodys(error)) throw error
    await proveOthers(entityOf(job), error)
    const mayBeThere = job.kind === 'create' && isUnsure(error)
    if (isLook || (tries + 1 >= mostTries && !mayBeThere)) return { ...said, kind: 'rejected', code: 'crmFailed' }
    return { record, kind: 'delayed', code, warnings: [], delay: { tries: tries + 1, afterMs: backOffMs(tries) } }
  }
}

export type Page = {
  rows: (SyncRow & { tries?: number; cursor?: string })[]
  jobs: Job[]
  warnings: CrmWarning[]
  shown?: Shown
  settled?: ReadonlySet<string>
}

export const look = async (push: Push, rows: Page['rows']): Promise<Page> => {
  const { jobs, warnings } = await resolve(push, rows)
  const people = jobs.flatMap((job) => (job.kind === 'write' ? [job.person.person.id] : []))
  const subjects = { recordIds: rows.map(({ id }) => id), crmIds: people }
  const shown = await shownOf(push.deps.db.$client, push.plan, true, subjects)
  if (shown === undefined) return { rows, jobs, warnings }
  return { rows, jobs, warnings, shown, settled: await settledBy(push.deps.db, push.runId, subjects.recordIds) }
}

export const sendPage = async (
  push: Push,
  { rows, jobs, warnings, shown, settled }: Page,
  step: (last: SyncRow) => { cursor: string | null; done: boolean },
  /** told when so few records are left that the next page may be looked up beside them */
  onFewLeft: () => void = () => undefined,
): Promise<boolean> => {
  const { deps, plan, key, signal, late } = push
  const said: CrmWarning[] = [...warnings]
  let left = rows.length
  let stop = false
  const items = jobs.map((job, index) => ({ job, tries: rows[index]!.tries ?? 0 }))
  const store = async (outcomes: Outcome[], next: boolean): Promise<void> => {
    const last = outcomes.at(-1)!.record as SyncRow
    const saying = [...said]
    const { cancelRequested } = await storeOutcomes(
      deps.db,
      plan,
      key,
      outcomes,
      next ? step(last) : { cursor: null, done: false },
      saying,
    )
    said.splice(0, saying.length)
    stop ||= cancelRequested
    beat({ lane: key.lane, records: outcomes.length })
  }
  const stopped = (): boolean => stop || signal.aborted
  const begin = (by: Push, { job, tries }: (typeof items)[number]): Promise<Outcome> => {
    left -= 1
    if (left === fewLeft) onFewLeft()
    return attempt(by, job, tries, proveOthers)
  }
  const send = (part: typeof items, width: number, by: Push): Promise<void> =>
    inOrder(part, width, (item) => begin(by, item), store, { stopped })
  const writing: Push = {
    ...push,
    ...(shown && { shown }),
    ...(settled && { settled }),
    options: { signal: late },
    say: (found) => void said.push(...found),
  }
  const proveOthers = proving(writing)
  const batching = { ...writing, crm: together(push.crm) }
  const trial = push.mayTry && push.crm.batchable() === null && items.length > 2 * batchSize ? batchSize : 0
  await send(items.slice(0, trial), trial, batching)
  if (push.crm.batchable() === true) await send(items.slice(trial), push.width * batchSize, batching)
  else await send(items.slice(trial), push.width, writing)
  if (!stop) signal.throwIfAborted()
  push.mayTry = trial === 0 && items.length > 2 * batchSize
  return stop
}

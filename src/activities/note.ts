import { Context } from '@temporalio/activity'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as claims from '../db/note/claim.ts'
import { finish } from '../db/note/finish.ts'
import { wakeOpen } from '../db/note/wake.ts'
import { openLane } from '../db/note/settle.ts'
import { noteEnding } from '../db/run/alert.ts'
import * as runs from '../db/run/state.ts'
import { FairleadError, isFairleadError } from '../domain/errors.ts'
import type { RunState } from '../domain/run.ts'
import { beat } from './beat.ts'
import { withCrm } from './crm.ts'
import type { Dependencies, RunInput } from './dependencies.ts'
import { resolve, type Resolved } from './note/resolve.ts'
import { sendAll, storing, type Sending } from './note/send.ts'
import { working, type Outcome } from './run.ts'
import { lingering } from './sync/linger.ts'

const pageSize = 200
/** A worker that dies is noticed by its lease, which is renewed three times as often. */
const leaseMs = 15_000
const segmentMs = 120_000
/** While mails go out their notes are looked for so often; without, the segment ends after so long with nothing to do. */
const lookEveryMs = 250
const lingerMs = 1000

export type NoteSegment = { done: boolean; notes: number }

type Page = Resolved & { claimed: number }

const prepare = async (sending: Sending, which: claims.Which): Promise<Page> => {
  const { deps, of } = sending
  const notes = await claims.claim(deps.db, which, of.claimId, { limit: pageSize, leaseMs })
  if (notes.length === 0) return { jobs: [], outcomes: [], claimed: 0 }
  return { ...(await resolve(sending, notes)), claimed: notes.length }
}

/** Whatever is due, until nothing is open or the segment is over. */
const work = async (sending: Sending, which: claims.Which): Promise<NoteSegment> => {
  const { deps } = sending
  const endAt = Date.now() + segmentMs
  const store = storing(sending)
  let notes = 0
  let workedAt = Date.now()
  let next: Promise<Page> | undefined
  const look = (): void => {
    if (Date.now() >= endAt || sending.stopped()) return
    next ??= prepare(sending, which)
    next.catch(() => undefined)
  }
  try {
    while (Date.now() < endAt && !sending.stopped()) {
      look()
      const page = await next!
      next = undefined
      if (page.outcomes.length > 0) store.add(...page.outcomes)
      if (page.jobs.length > 0) await sendAll(sending, page.jobs, store, look)
      else await store.stored()
      notes += page.claimed
      beat({ notes })
      if (page.claimed > 0) {
        workedAt = Date.now()
        continue
      }
      await store.stored()
      const { open, ms, isSending } = await claims.left(deps.db, which)
      if (open === 0 && !isSending && Date.now() - workedAt > lingerMs) return { done: true, notes }
      const waitMs = open === 0 ? lookEveryMs : Math.min(Math.max(ms ?? 0, 20), 1000)
      await sleep(isSending ? Math.min(waitMs, lookEveryMs) : waitMs, undefined, { signal: sending.options.signal })
    }
    sending.options.signal?.throwIfAborted()
    return { done: false, notes }
  } finally {
    await next?.catch(() => undefined)
    await store.stored()
  }
}

/** Keeps the leases of what is under way. */
const alive = async <T>({ deps, of }: Sending, which: claims.Which, step: () => Promise<T>): Promise<T> => {
  const timer = setInterval(() => {
    claims.renew(deps.db, which, of.claimId, leaseMs).catch(() => undefined)
  }, leaseMs / 3)
  try {
    return await step()
  } finally {
    clearInterval(timer)
  }
}

const segment = async (deps: Dependencies, run: runs.Run): Promise<NoteSegment> => {
  const { accountId, id: runId } = run
  const which = { messageId: run.messageId!, connectionId: run.connectionId! }
  const { cancellationSignal } = Context.current()
  const { publicUrl, links } = deps.mail
  if (publicUrl === null) throw new FairleadError('publicUrlMissing')
  await openLane(deps.db, { accountId, runId })
  const of = { accountId, runId, claimId: randomUUID() }
  const marked = new Set<string>()
  try {
    return await withCrm(deps, accountId, which.connectionId, (crm, { crmUserId, concurrency }) => {
      const sending: Sending = {
        deps,
        crm,
        connectionId: which.connectionId,
        options: { signal: lingering(cancellationSignal), priority: 'bulk' },
        of,
        userId: crmUserId,
        linkOf: (token) => links.preview(publicUrl, token),
        // as many as there are slots: while nobody waits for one, it goes from note to note without the database
        width: concurrency,
        stopped: () => cancellationSignal.aborted,
        marked,
        refuse: (error) =>
          withCrm(deps, accountId, which.connectionId, async () => {
            throw error
          }),
      }
      return alive(sending, which, () => work(sending, which))
    })
  } catch (error) {
    const why = isFairleadError(error)
      ? { code: error.code, ...(error.details.crm && { crm: { ...error.details.crm } }) }
      : null
    await claims.giveBack(deps.db, which, of.claimId, [...marked], why)
    if (isFairleadError(error) && error.kind === 'held') await claims.hold(deps.db, which, { code: error.code })
    throw error
  } finally {
    await claims.giveBack(deps.db, which, of.claimId, [...marked], null)
  }
}

export const noteActivities = (deps: Dependencies) => ({
  /** G3: makes notes of a message in the CRM for as long as there are any, or more may come, two minutes at most. */
  async noteSegment(input: RunInput): Promise<NoteSegment> {
    return working(deps, input, (run) => segment(deps, run))
  },

  /** Draws up the ledger and ends the run; null when notes have come meanwhile. */
  async finishNotes({
    accountId,
    runId,
    outcome,
  }: RunInput & { outcome: Outcome }): Promise<{ state: RunState | null }> {
    const state = await finish(deps.db, await runs.get(deps.db, accountId, runId), outcome)
    if (state === null) return { state }
    const run = await runs.get(deps.db, accountId, runId)
    await deps.db.transaction(async (tx) => {
      await noteEnding(tx, run, run)
      // the connector was reset and connected again meanwhile
      if (state === 'cancelled') await wakeOpen(tx, accountId)
    })
    return { state }
  },
})

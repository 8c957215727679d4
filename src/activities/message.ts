import { CancelledFailure, Context } from '@temporalio/activity'
import { randomUUID } from 'node:crypto'
import { nextDue } from '../db/delivery/claim.ts'
import { ledgerOf, sayUnsure, skipRest } from '../db/delivery/finish.ts'
import { endFreezing, freeze } from '../db/delivery/freeze.ts'
import { jobOf } from '../db/delivery/job.ts'
import { settleLost } from '../db/delivery/lost.ts'
import { waitOf } from '../db/delivery/request.ts'
import * as lanes from '../db/lane.ts'
import * as messages from '../db/message.ts'
import * as runs from '../db/run/state.ts'
import { FairleadError, type ErrorCode } from '../domain/errors.ts'
import { checkMessage, type MessageDefinition } from '../domain/message.ts'
import { isOver, type RunState } from '../domain/run.ts'
import { beat } from './beat.ts'
import type { Dependencies, RunInput } from './dependencies.ts'
import { sendDue } from './message/send.ts'
import { runErrorOf, working, type Outcome } from './run.ts'

/** A segment of a slow server is long, so that a mail a second does not fill the history. */
const segmentMs = 20 * 60_000
/** A wrong password is not tried again and again: accounts get locked. */
const refusedMs = 5 * 60_000

export type SendResult = { done: boolean; stop: boolean; rows: number; waitMs: number }

const readyMail = ({ mail: { server, publicUrl } }: Dependencies) => {
  if (server === null) throw new FairleadError('mailNotConfigured')
  if (publicUrl === null) throw new FairleadError('publicUrlMissing')
  return { server, publicUrl }
}

/**
 * A message that was ready when it was scheduled may have been changed since, and so may the columns of its audience. Who is in the audience is seen when it
 * is frozen. Errors: messageNotReady, and those of the templates.
 */
const refuseUnready = async (
  { db, mail }: Dependencies,
  run: runs.Run,
  publicUrl: string,
  definition: MessageDefinition,
): Promise<void> => {
  const placeholders = mail.compile(definition).placeholders()
  if (run.settings.message?.goesOn === true) return
  const known = await messages.placeholders(db, run.accountId, definition.audience)
  const [first] = checkMessage({ definition, placeholders, known, counts: null, mailConfigured: true, publicUrl })
  if (first !== undefined) throw new FairleadError('messageNotReady', { detail: first.message, remedy: first.remedy })
}

const isCancelled = (run: runs.Run, { cancelled, code }: Outcome): boolean =>
  cancelled === true || code === 'runFinished' || run.cancelRequestedAt !== null

export const messageActivities = (deps: Dependencies) => ({
  /** Milliseconds until the message of a run is to be sent. Errors: runFinished. */
  async timeOfMessage({ accountId, runId }: RunInput): Promise<{ waitMs: number }> {
    const run = await runs.get(deps.db, accountId, runId)
    if (isOver(run.state) || run.cancelRequestedAt !== null) throw new FairleadError('runFinished')
    return { waitMs: await deps.db.transaction((tx) => waitOf(tx, run.messageId!)) }
  },

  /** Freezes the audience, once. Errors: mailNotConfigured, publicUrlMissing, messageNotReady, and those of the templates. */
  async beginSend(input: RunInput): Promise<void> {
    await working(deps, input, async (run) => {
      const { publicUrl } = readyMail(deps)
      const { cancellationSignal: signal } = Context.current()
      const check = (definition: MessageDefinition) => refuseUnready(deps, run, publicUrl, definition)
      try {
        await freeze(deps.db, deps.secrets, run, { check, signal })
      } catch (error) {
        throw signal.aborted ? new CancelledFailure('stopped before anything was frozen') : error
      }
    })
  },

  /**
   * Sends mails of a run for up to twenty minutes. Answers how long to wait before more is due. While the mail server stops everybody, it fails and is tried
   * again without end, and the run says why (R21).
   */
  async sendSegment(input: RunInput): Promise<SendResult> {
    return working(deps, input, async (run) => {
      const { server, publicUrl } = readyMail(deps)
      const { cancellationSignal: signal } = Context.current()
      const job = await jobOf(deps.db, run)
      const endAt = Date.now() + segmentMs
      let rows = 0
      for (;;) {
        await settleLost(deps.db, job)
        const sent = await sendDue({ deps, job, server, publicUrl, claimId: randomUUID(), signal, endAt })
        rows += sent.rows
        beat({ rows })
        if (sent.stop) return { done: false, stop: true, rows, waitMs: 0 }
        if (signal.aborted) throw new CancelledFailure('stopped at a checkpoint')
        if (sent.trouble !== null)
          throw new FairleadError(sent.trouble, sent.trouble === 'mailUnreachable' ? {} : { retryAfterMs: refusedMs })
        const ms = await nextDue(deps.db, job)
        if (ms === null) return { done: true, stop: false, rows, waitMs: 0 }
        if (ms > 0 || Date.now() >= endAt) return { done: false, stop: false, rows, waitMs: Math.ceil(Math.max(0, ms)) }
      }
    })
  },

  /** Draws up the ledger of a run that sends, and ends it and, with it, its message. */
  async finishSend({ accountId, runId, outcome }: RunInput & { outcome: Outcome }): Promise<{ state: RunState }> {
    await endFreezing(deps.db, runId)
    const run = await runs.get(deps.db, accountId, runId)
    if (isOver(run.state)) return { state: run.state }
    const cancelled = isCancelled(run, outcome)
    if (run.settings.message?.version !== undefined) {
      const job = await jobOf(deps.db, run)
      // it is not sent again: a mail whose worker is gone may have arrived
      if (cancelled) await settleLost(deps.db, job, 'leave')
      if (cancelled) await skipRest(deps.db, run)
      // whoever still works on some of it is about to settle it
      const left = cancelled ? await nextDue(deps.db, job) : null
      if (left !== null) throw new FairleadError('leaseLost', { retryAfterMs: Math.max(1000, Math.ceil(left)) })
    }
    await lanes.close(deps.db, runId)
    const { counts, balance, unsure } = await ledgerOf(deps.db, run)
    const isWhole = outcome.code === undefined && balance.balanced === true
    const state: RunState = cancelled
      ? 'cancelled'
      : isWhole
        ? 'succeeded'
        : outcome.code === undefined
          ? 'incomplete'
          : 'failed'
    const code = (outcome.code ?? 'internal') as ErrorCode
    const error = state === 'failed' || state === 'incomplete' ? runErrorOf(new FairleadError(code), null) : null
    await sayUnsure(deps.db, runId, unsure)
    const nothing = { recordsAdded: null, mark: null, swept: null, widenedAt: null }
    await runs.finish(deps.db, run, { state, counts, balance, error, ...nothing })
    await deps.deliverOutbox()
    return { state }
  },
})

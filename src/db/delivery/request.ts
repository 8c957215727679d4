import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { activeStates, type RunSettings } from '../../domain/run.ts'
import * as accounts from '../account.ts'
import * as outbox from '../outbox.ts'
import { deliveries, lanes, messages, messageVersions, runs } from '../schema.ts'

type Message = typeof messages.$inferSelect

export const workflowIdOf = (runId: string): string => `message:${runId}`

/** Before a run of it is made or looked for. Errors: notFound. */
export const lock = async (tx: outbox.Transaction, accountId: string, messageId: string): Promise<Message> => {
  // before the message, as whoever starts a run
  await accounts.lock(tx, accountId, 'update')
  const [found] = await tx
    .select()
    .from(messages)
    .where(and(eq(messages.accountId, accountId), eq(messages.id, messageId), isNull(messages.removedAt)))
    .for('no key update')
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

const senderOf = async (tx: outbox.Transaction, { id, version }: Message): Promise<string> => {
  const [found] = await tx
    .select({ sender: sql<string>`${messageVersions.definition} ->> 'sender'` })
    .from(messageVersions)
    .where(and(eq(messageVersions.messageId, id), eq(messageVersions.version, version)))
  return found?.sender ?? 'smtp'
}

export const activeRun = async (tx: outbox.Transaction, messageId: string) => {
  const [found] = await tx
    .select({ id: runs.id, state: runs.state, cancelRequestedAt: runs.cancelRequestedAt })
    .from(runs)
    .where(and(eq(runs.messageId, messageId), eq(runs.kind, 'send'), inArray(runs.state, [...activeStates])))
  return found
}

/** The run, its lane and the start of its workflow. */
export const begin = async (
  tx: outbox.Transaction,
  { accountId, id: messageId }: Pick<Message, 'accountId' | 'id'>,
  settings: RunSettings = {},
): Promise<string> => {
  const [run] = await tx
    .insert(runs)
    .values({ accountId, kind: 'send', trigger: 'api', messageId, phase: 'send', settings, workflowId: '' })
    .returning({ id: runs.id })
  const runId = run!.id
  const workflowId = workflowIdOf(runId)
  await tx.update(runs).set({ workflowId }).where(eq(runs.id, runId))
  await tx.insert(lanes).values({ accountId, runId, phase: 'send', lane: 0, kind: 'audience' })
  const input = { accountId, runId, kind: 'send' }
  await outbox.insert(tx, { accountId, kind: 'start', name: 'sendMessage', workflowId, input })
  return runId
}

/** A run that failed may have left mails: another one goes on with them, by the same version. Its audience is frozen already. */
const goOn = async (tx: outbox.Transaction, message: Message): Promise<string> => {
  const own = eq(deliveries.messageId, message.id)
  const [one] = await tx.select({ version: deliveries.version }).from(deliveries).where(own).limit(1)
  const settings = one === undefined ? {} : { message: { version: one.version, goesOn: true as const } }
  const runId = await begin(tx, message, settings)
  await tx
    .update(deliveries)
    .set({ runId })
    .where(and(own, inArray(deliveries.state, ['waiting', 'sending'])))
  return runId
}

/**
 * Sends a message at a time, or at once. One that is scheduled is scheduled anew, and its run is the answer. Errors: notFound, messageSent,
 * notOurSender.
 */
export const request = async (
  tx: outbox.Transaction,
  accountId: string,
  messageId: string,
  at: Date | null,
): Promise<{ runId: string; created: boolean }> => {
  const message = await lock(tx, accountId, messageId)
  if ((await senderOf(tx, message)) === 'other') throw new FairleadError('notOurSender')
  if (message.state === 'sent' || message.state === 'cancelled') throw new FairleadError('messageSent')
  const active = await activeRun(tx, messageId)
  const set = (state: Message['state']) =>
    tx.update(messages).set({ state, scheduledAt: at, updatedAt: new Date() }).where(eq(messages.id, messageId))
  if (active === undefined) {
    const runId = message.state === 'sending' ? await goOn(tx, message) : await begin(tx, message)
    if (message.state !== 'sending') await set('scheduled')
    return { runId, created: true }
  }
  if (active.cancelRequestedAt !== null)
    throw new FairleadError('conflict', { detail: 'Its sending is just being cancelled.' })
  if (message.state === 'scheduled') {
    await set('scheduled')
    await outbox.insert(tx, { accountId, kind: 'signal', name: 'reschedule', workflowId: workflowIdOf(active.id) })
  }
  return { runId: active.id, created: false }
}

/**
 * The run that sends a message, or will. Where one has failed, a run for what it has left: there is no other to be called off. Errors: notFound,
 * notSending.
 */
export const activeOf = async (tx: outbox.Transaction, accountId: string, messageId: string): Promise<string> => {
  const message = await lock(tx, accountId, messageId)
  const active = await activeRun(tx, message.id)
  if (active !== undefined) return active.id
  if (message.state !== 'sending') throw new FairleadError('notSending')
  if ((await senderOf(tx, message)) === 'other')
    throw new FairleadError('notSending', {
      detail: 'Another sender sends the message.',
      remedy: 'End it there, then close the message: POST …/close.',
    })
  return goOn(tx, message)
}

/** Milliseconds until a message is to be sent; 0 when that is now. */
export const waitOf = async (db: outbox.Transaction, messageId: string): Promise<number> => {
  const [found] = await db
    .select({
      ms: sql<number>`greatest(0, extract(epoch from coalesce(${messages.scheduledAt}, now()) - now()) * 1000)::float8`,
    })
    .from(messages)
    .where(eq(messages.id, messageId))
  return Math.ceil(found?.ms ?? 0)
}

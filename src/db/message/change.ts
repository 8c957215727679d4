import { and, eq, isNull, sql } from 'drizzle-orm'
import { isDeepStrictEqual } from 'node:util'
import { FairleadError } from '../../domain/errors.ts'
import { readMessage, type GivenMessage, type MessageAudience, type MessageDefinition } from '../../domain/message.ts'
import * as accounts from '../account.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import { refuseTwins } from '../failure.ts'
import type { Transaction } from '../outbox.ts'
import { lists, messages, messageVersions, segments } from '../schema.ts'
import { get, type Message } from './read.ts'

type Asked = GivenMessage & { name: string }
type Changes = Partial<Asked> & { version: number }

/** More would make the names slow to keep apart. */
const mostMessages = 100_000

const idsOf = (ids: readonly string[]) => sql`any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`

/** Which of the lists and segments that an audience names are there. */
const knownOf = async (tx: Transaction, accountId: string, audience: Partial<MessageAudience> = {}) => {
  const askedLists = [...(audience.lists ?? []), ...(audience.withoutLists ?? [])]
  const askedSegments = [...(audience.segments ?? []), ...(audience.withoutSegments ?? [])]
  const foundLists = await tx
    .select({ id: lists.id })
    .from(lists)
    .where(and(eq(lists.accountId, accountId), isNull(lists.removedAt), sql`${lists.id} = ${idsOf(askedLists)}`))
  const foundSegments = await tx
    .select({ id: segments.id })
    .from(segments)
    .innerJoin(lists, and(eq(lists.id, segments.listId), isNull(lists.removedAt)))
    .where(
      and(eq(segments.accountId, accountId), isNull(segments.removedAt), sql`${segments.id} = ${idsOf(askedSegments)}`),
    )
  return { lists: new Set(foundLists.map(({ id }) => id)), segments: new Set(foundSegments.map(({ id }) => id)) }
}

const read = async (tx: Transaction, accountId: string, given: GivenMessage): Promise<MessageDefinition> =>
  readMessage(given, await knownOf(tx, accountId, given.audience))

const keep = async (tx: Transaction, message: Message, { apiKeyId }: audits.Actor): Promise<void> => {
  const { id: messageId, accountId, version, definition } = message
  await tx.insert(messageVersions).values({ messageId, accountId, version, definition, apiKeyId })
}

const make = async (
  tx: Transaction,
  accountId: string,
  name: string,
  definition: MessageDefinition,
  actor: audits.Actor,
): Promise<Message> => {
  const live = and(eq(messages.accountId, accountId), isNull(messages.removedAt))
  if ((await tx.$count(messages, live)) >= mostMessages)
    throw new FairleadError('invalidInput', { detail: `An account has at most ${mostMessages} messages.` })
  const [made] = await tx.insert(messages).values({ accountId, name }).returning()
  const message = { ...made!, definition }
  await keep(tx, message, actor)
  return message
}

/** A draft. Errors: invalidInput with every place that is wrong, nameTaken. Templates are read by the API before. */
export const insert = (
  db: Database,
  accountId: string,
  { name, ...given }: Asked,
  actor: audits.Actor,
): Promise<Message> =>
  refuseTwins(
    db.transaction(async (tx) => {
      await accounts.lock(tx, accountId, 'no key update')
      const message = await make(tx, accountId, name, await read(tx, accountId, given), actor)
      await audits.insert(tx, accountId, actor, { action: 'message.create', targetId: message.id })
      return message
    }),
  )

const lock = async (tx: Transaction, accountId: string, messageId: string): Promise<Message> => {
  await accounts.lock(tx, accountId, 'no key update')
  await tx
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.accountId, accountId), eq(messages.id, messageId)))
    .for('no key update')
  return get(tx, accountId, messageId)
}

const refuseSent = ({ state }: Message): void => {
  if (state === 'sending' || state === 'sent' || state === 'cancelled') throw new FairleadError('messageSent')
}

const given = (asked: Omit<Changes, 'version'>): Omit<Changes, 'version'> =>
  Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))

const withoutGone = async (tx: Transaction, { accountId, definition }: Message): Promise<MessageAudience> => {
  const { audience } = definition
  const known = await knownOf(tx, accountId, audience)
  return {
    lists: audience.lists.filter((id) => known.lists.has(id)),
    segments: audience.segments.filter((id) => known.segments.has(id)),
    withoutLists: audience.withoutLists.filter((id) => known.lists.has(id)),
    withoutSegments: audience.withoutSegments.filter((id) => known.segments.has(id)),
  }
}

/** An audience that is not given anew keeps what was removed since; one that is given must be there as a whole. */
const redefine = async (
  tx: Transaction,
  { accountId, definition: before }: Message,
  changes: Partial<GivenMessage>,
): Promise<MessageDefinition> => {
  const audience = { ...before.audience, ...changes.audience }
  if (changes.audience !== undefined) return read(tx, accountId, { ...before, ...changes, audience })
  const all = {
    lists: new Set([...audience.lists, ...audience.withoutLists]),
    segments: new Set([...audience.segments, ...audience.withoutSegments]),
  }
  return readMessage({ ...before, ...changes, audience }, all)
}

/**
 * Changes a message for the version that was read, and makes the next version; what changes nothing makes none. Errors: notFound, conflict with the present
 * version, messageSent, nameTaken, invalidInput.
 */
export const update = (
  db: Database,
  accountId: string,
  messageId: string,
  { version, ...asked }: Changes,
  actor: audits.Actor,
): Promise<Message> =>
  refuseTwins(
    db.transaction(async (tx) => {
      const before = await lock(tx, accountId, messageId)
      refuseSent(before)
      if (version !== before.version) {
        const detail = `The message is at version ${before.version}; this was made from version ${version}.`
        throw new FairleadError('conflict', { detail, extra: { version: before.version } })
      }
      const { name = before.name, ...changes } = given(asked)
      const definition = await redefine(tx, before, changes)
      if (name === before.name && isDeepStrictEqual(definition, before.definition)) return before
      const [made] = await tx
        .update(messages)
        .set({ name, version: version + 1, updatedAt: sql`now()` })
        .where(eq(messages.id, messageId))
        .returning()
      const message = { ...made!, definition }
      await keep(tx, message, actor)
      const details = { version: message.version, changed: Object.keys(given(asked)) }
      await audits.insert(tx, accountId, actor, { action: 'message.update', targetId: messageId, details })
      return message
    }),
  )

/** A draft like it, whatever state it is in; lists and segments that are gone are left out. Errors: notFound, nameTaken. */
export const copy = (
  db: Database,
  accountId: string,
  messageId: string,
  name: string | undefined,
  actor: audits.Actor,
): Promise<Message> =>
  refuseTwins(
    db.transaction(async (tx) => {
      await accounts.lock(tx, accountId, 'no key update')
      const original = await get(tx, accountId, messageId)
      const audience = await withoutGone(tx, original)
      const free = name ?? (await freeName(tx, accountId, original.name))
      const message = await make(tx, accountId, free, { ...original.definition, audience }, actor)
      const details = { messageId }
      await audits.insert(tx, accountId, actor, { action: 'message.copy', targetId: message.id, details })
      return message
    }),
  )

/** "News (2)" for a copy of "News"; a name that is too long for that is cut. */
const freeName = async (tx: Transaction, accountId: string, name: string): Promise<string> => {
  const stem = name.replace(/ \(\d+\)$/, '').slice(0, 190)
  const [found] = await tx.execute<{ number: number }>(sql`
    select n as number from generate_series(2, ${mostMessages + 2}::int) n where not exists (select from messages m
      where m.account_id = ${accountId}::uuid and m.removed_at is null and lower(m.name) = lower(${stem}::text || ' (' || n || ')')) order by n limit 1`)
  return `${stem} (${found!.number})`
}

/** A draft, or what was sent: its deliveries, previews and notes stay. Errors: notFound, messageSent while it is being sent or scheduled. */
export const remove = (db: Database, accountId: string, messageId: string, actor: audits.Actor): Promise<void> =>
  db.transaction(async (tx) => {
    const { state, definition } = await lock(tx, accountId, messageId)
    if (state === 'sending' || state === 'scheduled') {
      const how = definition.sender === 'other' ? 'Close it first: POST …/close.' : 'Call it off first: POST …/cancel.'
      throw new FairleadError('messageSent', { detail: 'The message is scheduled, or being sent.', remedy: how })
    }
    await tx
      .update(messages)
      .set({ removedAt: sql`now()` })
      .where(and(eq(messages.accountId, accountId), eq(messages.id, messageId)))
    await audits.insert(tx, accountId, actor, { action: 'message.remove', targetId: messageId })
  })

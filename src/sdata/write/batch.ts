import type { CallOptions, CrmFound } from '../../domain/crm.ts'
import { FairleadError, isFairleadError, type ErrorCode } from '../../domain/errors.ts'
import { literal } from '../http/query.ts'
import type { Row } from '../paging/feed.ts'
import { readPeopleById } from '../people.ts'
import { guardNames, namesOf } from '../person.ts'
import type { Session } from '../session.ts'
import { encodeChanges, isEmpty, toJson } from './body.ts'
import { entriesOf, failureOf, isAnswer } from './entry.ts'
import { createReplyReader, type ReplyReader } from './reply.ts'
import { judge, selectFor, updatePerson, type Update } from './update.ts'

export type Outcome = CrmFound | FairleadError

/** Vendor clients send 25 by default (10.6). */
export const maxBatch = 25
// below that a trial says nothing
const leastTrial = 20

/** What a server answers that has no batch, or whose batch is of no use. */
const unfit = new Set<ErrorCode>([
  'crmAnswer',
  'crmTimeout',
  'crmFailed',
  'crmRefused',
  'crmNotFound',
  'entityDisabled',
  'noRight',
  'unknownProperty',
])

const wantsBatch = ({ memory: { writes } }: Session, size: number): boolean =>
  size <= maxBatch &&
  (writes.batch === true || (writes.batch === null && writes.singles >= leastTrial && size >= leastTrial))

/** The item's JSON, the error that keeps it from being sent, or null when there is nothing to send. */
const toItem = async (
  session: Session,
  { entity, fields, person, changes }: Update,
  options: CallOptions,
): Promise<string | FairleadError | null> => {
  try {
    const members = await encodeChanges(session, fields, changes, options)
    if (isEmpty(members, person.addressKey)) return null
    const url = `${session.client.habits.root}/${session.path(entity)}(${literal(person.id)})`
    const marks = { $httpMethod: 'PUT', $key: person.id, $url: url }
    const ifMatch = session.memory.writes.ifMatch && person.etag !== null ? { $ifMatch: person.etag } : {}
    const head = JSON.stringify({ ...marks, ...ifMatch }).slice(1, -1)
    return toJson([head], members, person.addressKey)
  } catch (error) {
    if (!isFairleadError(error) || error.kind === 'transient' || error.kind === 'held') throw error
    return error
  }
}

type Sent = { update: Update; json: string }

const send = async (
  session: Session,
  sent: Sent[],
  select: string[],
  options: CallOptions,
): Promise<Map<Update, Row | undefined> | null> => {
  const [first] = sent
  if (first === undefined) return new Map()
  const { writes } = session.memory
  try {
    const json = `{"$resources":[${sent.map((item) => item.json).join(',')}]}`
    const path = `${session.path(first.update.entity)}/$batch`
    const answer = await session.client.ask({ path, query: { select }, send: { method: 'POST', json } }, options)
    const ids = sent.map(({ update }) => update.person.id)
    const entries = entriesOf(answer.json, ids)
    writes.batch ??= answer.ms / sent.length < writes.singleMs
    const answered = entries?.filter(isAnswer).length ?? 0
    if (answered * 2 < sent.length) writes.batch = false
    return entries && new Map(sent.map(({ update }, at) => [update, entries[at]]))
  } catch (error) {
    if (!isFairleadError(error) || !unfit.has(error.code)) throw error
    writes.batch = false
    return null
  }
}

const settleOne = async (work: () => Promise<CrmFound>): Promise<Outcome> => {
  try {
    return await work()
  } catch (error) {
    if (!isFairleadError(error)) throw error
    return error
  }
}

/** null: written, but the reply does not tell everything. */
const settle = async (
  session: Session,
  update: Update,
  { entry, reader }: { entry: Row | undefined; reader: ReplyReader },
  options: CallOptions,
): Promise<Outcome | null> => {
  if (!isAnswer(entry)) return settleOne(() => updatePerson(session, update, options))
  const failure = failureOf(entry)
  if (failure === null) {
    const reply = reader.read(entry)
    return reply?.complete ? reply.found : null
  }
  const passing = failure.kind === 'transient' || failure.kind === 'held' || failure.code === 'unknownProperty'
  return settleOne(() => (passing ? updatePerson(session, update, options) : judge(session, update, failure, options)))
}

/**
 * `updateMany` of the port (10.6): one `$batch` of PUTs, or null when changes are to be sent one by one. Tried once per Crm, after enough single
 * changes to compare with. Entries without an answer, and those that failed for the moment, are sent again alone: a change that was
 * made already is recognised by its traces.
 */
export const updateBatch = async (
  session: Session,
  updates: Update[],
  options: CallOptions,
): Promise<Outcome[] | null> => {
  const [first] = updates
  if (first === undefined) return []
  if (!wantsBatch(session, updates.length)) return null
  guardNames(namesOf(first.fields))
  await session.ready(options)
  const { entity, fields } = first
  const reader = await createReplyReader(session, entity, fields, options)
  const outcomes = new Map<Update, Outcome>()
  const sent: Sent[] = []
  for (const update of updates) {
    const item = await toItem(session, update, options)
    if (typeof item === 'string') sent.push({ update, json: item })
    else if (item !== null) outcomes.set(update, item)
  }
  const entries = await send(session, sent, selectFor(session, entity, reader), options)
  if (entries === null) return null
  for (const [update, entry] of entries) {
    const outcome = await settle(session, update, { entry, reader }, options)
    if (outcome !== null) outcomes.set(update, outcome)
  }
  const open = updates.filter((update) => !outcomes.has(update)).map(({ person }) => person.id)
  const { rows, unreadable } = await readPeopleById(session, entity, fields, open, options)
  const read = new Map<string, Outcome>(rows.map((row) => [row.id, row]))
  for (const { id, crm } of unreadable) read.set(id, new FairleadError('crmFailed', { crm }))
  return updates.map((update) => outcomes.get(update) ?? read.get(update.person.id) ?? new FairleadError('crmNotFound'))
}

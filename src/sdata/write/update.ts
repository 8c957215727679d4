import type { CallOptions, CrmChanges, CrmEntity, CrmField, CrmFound } from '../../domain/crm.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { sameValue } from '../../domain/values.ts'
import type { Answer } from '../http/answer.ts'
import { encodeValue, literal } from '../http/query.ts'
import { readPeopleById } from '../people.ts'
import { guardNames, namesOf } from '../person.ts'
import { findUnknown, setMissing, type Session } from '../session.ts'
import { encodeChanges, isEmpty, toJson } from './body.ts'
import { createReplyReader, type ReplyReader } from './reply.ts'
import { typed } from './value.ts'

/** Whom and what to write. */
export type Update = {
  entity: CrmEntity
  fields: CrmField[]
  person: Pick<CrmFound, 'id' | 'etag' | 'addressKey'>
  changes: CrmChanges
}

const longestSelect = 1200
const gone = /does not exist|not found|no longer exists/i

const read = async (
  session: Session,
  { entity, fields, person }: Update,
  options: CallOptions,
): Promise<CrmFound | null> => {
  const { rows, unreadable } = await readPeopleById(session, entity, fields, [person.id], options)
  const [failed] = unreadable
  if (failed) throw new FairleadError('crmFailed', { crm: failed.crm })
  return rows[0] ?? null
}

/** True when the CRM holds every changed value already, whoever wrote it. */
export const holds = (found: CrmFound, { fields, changes }: Pick<Update, 'fields' | 'changes'>): boolean => {
  const byName = new Map(fields.map((field) => [field.name.toLowerCase(), field]))
  return Object.entries(changes).every(([name, value]) => {
    const field = byName.get(name.toLowerCase())
    if (field === undefined) return false
    const [wanted, stored] = [typed(field, value), found.values[field.name]]
    if (field.type !== 'instant' || typeof wanted !== 'string' || typeof stored !== 'string')
      return sameValue(wanted, stored)
    // databases keep instants to the second, or to 3 ms
    return Math.abs(Date.parse(wanted) - Date.parse(stored)) < 1000
  })
}

const refusesIfMatch = ({ details: { crm } }: FairleadError): boolean =>
  crm?.status === 405 || crm?.status === 501 || (crm?.status === 400 && /if-?match|e-?tag/i.test(crm.message ?? ''))

/** One PUT; without If-Match where the server has been found to refuse that. */
const put = async (
  session: Session,
  { entity, person }: Update,
  { json, select }: { json: string; select: string[] },
  options: CallOptions,
): Promise<Answer> => {
  const { client, memory } = session
  const path = `${session.path(entity)}(${literal(person.id)})`
  const send = (ifMatch: string | null): Promise<Answer> =>
    client.ask({ path, query: { select }, send: { method: 'PUT', json, ifMatch } }, options)
  const ifMatch = memory.writes.ifMatch ? person.etag : null
  try {
    return await send(ifMatch)
  } catch (error) {
    if (ifMatch === null || !isFairleadError(error) || !refusesIfMatch(error)) throw error
    const answer = await send(null)
    memory.writes.ifMatch = false
    return answer
  }
}

/** What the reply is to hold: never a whole person (8.3), and only names that a person was read with, so that the change itself does not fail by them. */
export const selectFor = ({ memory }: Session, entity: CrmEntity, { select }: ReplyReader): string[] => {
  const proven = memory.proven.has(`${entity} ${select.join()}`)
  return proven && encodeValue(select.join()).length <= longestSelect
    ? ['Id', ...select.filter((name) => name !== 'Id')]
    : ['Id']
}

const notePace = ({ memory: { writes } }: Session, ms: number): void => {
  writes.singleMs = writes.singles === 0 ? ms : writes.singleMs * 0.8 + ms * 0.2
  writes.singles += 1
}

/** A failed change: done after all, a change of somebody else's, a person who is gone, or what it says. */
export const judge = async (
  session: Session,
  update: Update,
  error: FairleadError,
  options: CallOptions,
): Promise<CrmFound> => {
  const { code, details } = error
  const unclear = code === 'crmChanged' || (code === 'crmAnswer' && (details.crm?.status ?? 500) < 300)
  if (!unclear && !(code === 'crmRefused' && gone.test(details.crm?.message ?? ''))) throw error
  const found = await read(session, update, options)
  if (found === null) throw new FairleadError('crmNotFound', { crm: details.crm })
  // a repetition of our own change finds its own traces
  if (unclear && holds(found, update)) return found
  throw error
}

const readBack = async (session: Session, update: Update, options: CallOptions): Promise<CrmFound> => {
  const found = await read(session, update, options)
  if (found === null) throw new FairleadError('crmNotFound')
  return found
}

/** `update` of the port: one partial PUT (10.2), which may be repeated. */
export const updatePerson = async (session: Session, update: Update, options: CallOptions): Promise<CrmFound> => {
  const { entity, fields, person, changes } = update
  guardNames(namesOf(fields))
  await session.ready(options)
  const members = await encodeChanges(session, fields, changes, options)
  if (isEmpty(members, person.addressKey)) return readBack(session, update, options)
  const json = toJson([`"$key":${JSON.stringify(person.id)}`], members, person.addressKey)
  for (;;) {
    const reader = await createReplyReader(session, entity, fields, options)
    try {
      const answer = await put(session, update, { json, select: selectFor(session, entity, reader) }, options)
      notePace(session, answer.ms)
      const reply = reader.read(answer.json)
      if (reply?.complete && reply.found.id === person.id) return reply.found
    } catch (error) {
      if (!isFairleadError(error)) throw error
      const unknown = error.code === 'unknownProperty' ? findUnknown(fields, error.details.crm) : null
      if (unknown === null || !reader.select.includes(unknown)) return judge(session, update, error, options)
      setMissing(session, entity, unknown)
      continue
    }
    return readBack(session, update, options)
  }
}

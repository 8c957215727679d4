import type { CallOptions, CrmChanges, CrmField, CrmFound } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { readPeopleById } from '../people.ts'
import { guardNames, namesOf } from '../person.ts'
import type { Session } from '../session.ts'
import { encodeChanges, toJson } from './body.ts'
import { createReplyReader } from './reply.ts'

/** The new lead with all that the reply did not hold; what cannot be read now is left out, since the lead exists whatever happens. */
const complete = async (
  session: Session,
  fields: CrmField[],
  created: CrmFound,
  options: CallOptions,
): Promise<CrmFound> => {
  try {
    const { rows } = await readPeopleById(session, 'lead', fields, [created.id], options)
    return rows[0] ?? created
  } catch {
    return created
  }
}

/**
 * `createLead` of the port: one POST, never repeated by itself. The reply is not limited by a select, which could fail after the lead has been
 * made; a lead holds no secrets. Throws crmAnswer when the reply does not say which lead it was.
 */
export const createLead = async (
  session: Session,
  fields: CrmField[],
  changes: CrmChanges,
  { sending, ...options }: CallOptions & { sending?: () => Promise<void> },
): Promise<CrmFound> => {
  guardNames(namesOf(fields))
  await session.ready(options)
  const members = await encodeChanges(session, fields, changes, options)
  const reader = await createReplyReader(session, 'lead', fields, options)
  const query = fields.some(({ address }) => address) ? { include: 'Address' } : {}
  const send = { method: 'POST' as const, json: toJson([], members, null), ...(sending && { sending }) }
  const { json, status } = await session.client.ask({ path: session.path('lead'), query, send }, options)
  const reply = reader.read(json)
  if (reply === null) throw new FairleadError('crmAnswer', { crm: { status } })
  return reply.complete ? reply.found : complete(session, fields, reply.found, options)
}

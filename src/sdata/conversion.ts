import type { CallOptions } from '../domain/crm.ts'
import { isFairleadError, type ErrorCode } from '../domain/errors.ts'
import { isOneOf } from './http/query.ts'
import { member } from './paging/feed.ts'
import { askFeed, type Session } from './session.ts'
import { trimId } from './values/value.ts'

const path = 'slx/dynamic/-/leadHistory'
const atOnce = 50
const notOffered = new Set<ErrorCode>(['entityDisabled', 'crmNotFound', 'crmRefused', 'unknownProperty', 'noRight'])

/**
 * `conversions` of the port: the history of leads names the contact that each one became (8.8). Few servers offer it as a feed; where it is not there,
 * or cannot be read at the moment, nothing is known.
 */
export const readConversions = async (
  session: Session,
  leadIds: string[],
  options: CallOptions,
): Promise<Map<string, string>> => {
  const found = new Map<string, string>()
  if (session.memory.leadHistory === false) return found
  await session.ready(options)
  for (let at = 0; at < leadIds.length; at += atOnce) {
    const where = isOneOf('LeadId', leadIds.slice(at, at + atOnce))
    try {
      const { rows } = await askFeed(session, path, { select: ['LeadId', 'ContactId'], where, count: 200 }, options, 0)
      for (const row of rows) {
        const [lead, contact] = [trimId(member(row, 'LeadId')), trimId(member(row, 'ContactId'))]
        if (lead !== null && contact !== null) found.set(lead, contact)
      }
    } catch (error) {
      if (!isFairleadError(error) || error.kind === 'held') throw error
      if (notOffered.has(error.code)) session.memory.leadHistory = false
      return found
    }
  }
  return found
}

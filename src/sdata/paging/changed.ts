import type { CallOptions, CrmChanged, CrmEntity } from '../../domain/crm.ts'
import { isFairleadError, type ErrorCode } from '../../domain/errors.ts'
import { instantLiteral } from '../http/query.ts'
import { askFeed, type Session } from '../session.ts'
import { controlRead } from './control.ts'

const refusals = new Set<ErrorCode>(['crmRefused', 'crmFailed', 'crmAnswer', 'noRight', 'unknownProperty'])

/** True for what a server answers to a question that it does not understand: some say so, some only break. */
export const isRefused = (error: unknown): boolean => isFairleadError(error) && refusals.has(error.code)

// so late that no row fulfils it: whatever fails then is the condition, not a row
const never = instantLiteral(Date.UTC(2200, 0, 1))

/** Whether the server answers questions about the dates of primary addresses; believed for a while. */
export const knowsAddressChanges = (session: Session, entity: CrmEntity, options: CallOptions): Promise<boolean> =>
  session.memory.addressChanges.get(entity, async () => {
    const query = { select: ['Id'], where: `Address.ModifyDate ge ${never}`, orderBy: 'Id', count: 1 }
    try {
      await askFeed(session, session.path(entity), query, options)
      return true
    } catch (error) {
      if (!isRefused(error)) throw error
      await controlRead(session, { entity }, isFairleadError(error) ? error : null, options)
      return false
    }
  })

/**
 * The condition that finds who changed (R14). Addresses are asked for apart, since a condition on a relation is an inner join (5.6): `ModifyDate lt`
 * keeps the two sets apart. null where the server cannot tell.
 */
export const changedFilter = async (
  session: Session,
  entity: CrmEntity,
  { since, of }: CrmChanged,
  options: CallOptions,
): Promise<string | null> => {
  const from = instantLiteral(Date.parse(since))
  if (of === 'person') return `(ModifyDate ge ${from} or ModifyDate eq null)`
  if (!(await knowsAddressChanges(session, entity, options))) return null
  return `Address.ModifyDate ge ${from} and ModifyDate lt ${from}`
}

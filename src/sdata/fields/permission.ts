import type { CallOptions, CrmEntity } from '../../domain/crm.ts'
import { isFairleadError } from '../../domain/errors.ts'
import { member, type Row } from '../paging/feed.ts'
import { askFeed, maySplit, type Session } from '../session.ts'

/** What field-level security leaves to the CRM user, by property in lower case. */
export type Permissions = Map<string, 'NoAccess' | 'ReadOnly'>

const parse = (row: Row | undefined): Permissions => {
  const list = row?.['$permissions']
  const permissions: Permissions = new Map()
  for (const item of Array.isArray(list) ? (list as unknown[]) : []) {
    if (typeof item !== 'object' || item === null) continue
    const name = member(item as Row, 'name')
    const access = String(member(item as Row, 'access') ?? '').toLowerCase()
    if (typeof name !== 'string') continue
    if (access === 'noaccess') permissions.set(name.toLowerCase(), 'NoAccess')
    if (access === 'readonly') permissions.set(name.toLowerCase(), 'ReadOnly')
  }
  return permissions
}

const read = async (session: Session, entity: CrmEntity, options: CallOptions): Promise<Permissions> => {
  // the last person where the first cannot be read; never without select: a whole contact may hold a portal password
  for (const orderBy of ['Id', 'Id desc']) {
    try {
      const query = { select: ['Id'], orderBy, count: 1, include: '$permissions' }
      return parse((await askFeed(session, session.path(entity), query, options)).rows[0])
    } catch (error) {
      if (!isFairleadError(error) || !(error.code === 'crmRefused' || maySplit(error))) throw error
    }
  }
  return new Map()
}

/**
 * Asked once per Crm and entity, of one person (4.2): a property without access may show as null, which would look like a blank (R8).
 * Empty where the server does not say.
 */
export const readPermissions = (session: Session, entity: CrmEntity, options: CallOptions): Promise<Permissions> =>
  session.memory.permissions.get(entity, () => read(session, entity, options))

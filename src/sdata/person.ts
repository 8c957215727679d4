import type { CallOptions, CrmEntity, CrmField, CrmFound, CrmPerson, CrmWarning } from '../domain/crm.ts'
import { FairleadError } from '../domain/errors.ts'
import { isSecretField } from '../domain/field.ts'
import { readPermissions } from './fields/permission.ts'
import { keyOf, member, type Row } from './paging/feed.ts'
import { addWarning, type Session } from './session.ts'
import { readTexts } from './values/picklist.ts'
import { createPlan } from './values/plan.ts'
import { trimId } from './values/value.ts'

const legalName = /^(?!__)[\p{L}_][\p{L}\p{N}_]*(\/[\p{L}_][\p{L}\p{N}_]*)*$/u

/** Throws secretField, and unknownField for what cannot be a name. */
export const guardNames = (names: string[]): void => {
  for (const name of names) {
    if (isSecretField(name)) throw new FairleadError('secretField')
    if (!legalName.test(name)) throw new FairleadError('unknownField')
  }
}

/** Leaves out what the CRM user may not see (R8). */
export const visible = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  options: CallOptions,
): Promise<CrmField[]> => {
  const permissions = await readPermissions(session, entity, options)
  return permissions.size === 0
    ? fields
    : fields.filter(({ name }) => permissions.get(name.toLowerCase()) !== 'NoAccess')
}

export const namesOf = (fields: CrmField[]): string[] => fields.map(({ name }) => name)

/** Rows that were asked for with `known`, of the `fields` that were wanted, as people. */
export const toPeople = async (
  session: Session,
  { fields, known }: { fields: CrmField[]; known: CrmField[] },
  rows: Row[],
  warnings: CrmWarning[],
  options: CallOptions,
): Promise<CrmPerson[]> => {
  const read = fields.filter((field) => known.includes(field))
  const texts = await readTexts(session, read, options)
  const plan = createPlan(
    read.filter(({ name }) => !texts.unknown.has(name)),
    texts.byField,
  )
  const people = rows.map((row) => ({ id: keyOf(row), values: plan.read(row) }))
  if (rows.length > 0) {
    for (const field of fields)
      if (!known.includes(field)) addWarning(warnings, { code: 'fieldMissing', field: field.name, count: rows.length })
    // passing or the server's way to say null: no proof that the field is gone
    for (const field of [...texts.unknown, ...plan.absent()])
      addWarning(warnings, { code: 'fieldAbsent', field, count: rows.length })
  }
  if (session.client.oneSession()) addWarning(warnings, { code: 'oneSession', count: 1 })
  for (const [field, count] of plan.unreadable()) addWarning(warnings, { code: 'valueUnreadable', field, count })
  return people
}

/** `$etag` bare, as If-Match wants it (4.2, 10.3). */
export const etagOf = (row: Row): string | null => trimId(row['$etag'])?.replace(/^(?:W\/)?"(.*)"$/, '$1') ?? null

export const addressKeyOf = (row: Row): string | null => {
  const address = member(row, 'Address')
  return typeof address === 'object' && address !== null ? trimId((address as Row)['$key']) : null
}

/** The same people with what is needed to write to them. */
export const toFound = (people: CrmPerson[], rows: Row[]): CrmFound[] =>
  people.map((person, at) => ({ ...person, etag: etagOf(rows[at]!), addressKey: addressKeyOf(rows[at]!) }))

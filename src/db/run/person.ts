import { and, eq, or } from 'drizzle-orm'
import type { CrmEntity } from '../../domain/crm.ts'
import type { Database } from '../database.ts'
import { records } from '../schema.ts'

/** Whose entries: by what they say themselves, and by the record that belongs to it now. */
export type Person = { emailKey?: Buffer; recordIds: string[]; people: { entity: CrmEntity; id: string }[] }
/** At most so many records of one person are looked for on a list. */
const mostRecords = 200

/** Whose entries are meant: everybody on the list with an address (by its hash), a record, or somebody in the CRM. */
export const find = async (
  db: Database,
  accountId: string,
  list: string | null,
  by: { emailKey: Buffer } | { recordId: string } | { crm: { entity: CrmEntity; id: string } },
): Promise<Person> => {
  const given: Person = { recordIds: 'recordId' in by ? [by.recordId] : [], people: 'crm' in by ? [by.crm] : [] }
  const emailKey = 'emailKey' in by ? by.emailKey : undefined
  const who = emailKey
    ? eq(records.emailKey, emailKey)
    : or(
        ...given.recordIds.map((each) => eq(records.id, each)),
        ...given.people.map((each) => and(eq(records.crmEntity, each.entity), eq(records.crmId, each.id))),
      )
  const found =
    list === null
      ? []
      : await db
          .select({ id: records.id, entity: records.crmEntity, crmId: records.crmId })
          .from(records)
          .where(and(eq(records.accountId, accountId), eq(records.listId, list), who))
          .limit(mostRecords)
  return {
    ...(emailKey && { emailKey }),
    recordIds: [...given.recordIds, ...found.map((each) => each.id)],
    people: [
      ...given.people,
      ...found.flatMap(({ entity, crmId }) => (entity && crmId ? [{ entity, id: crmId }] : [])),
    ],
  }
}

import type { CrmEntity } from '../../src/domain/crm.ts'
import type { Sql } from '../../src/db/database.ts'

/** As if another list of the connection had found out that a contact, who may not be there, took the person over: a lead was converted, a contact merged. */
export const takenOver = (
  sql: Sql,
  listId: string,
  { entity, id }: { entity: CrmEntity; id: string },
  to: string,
) => sql`
  insert into crm_people (connection_id, entity, crm_id, account_id, state, successor_entity, successor_id)
  select connection_id, ${entity}, ${id}, account_id, ${entity === 'lead' ? 'converted' : 'merged'}, 'contact', ${to}
  from lists where id = ${listId}`

import * as accounts from '../../src/db/account.ts'
import { operator } from '../../src/db/audit.ts'
import * as columnRows from '../../src/db/column.ts'
import * as lists from '../../src/db/list.ts'
import { scopeOf } from '../../src/db/record/edit.ts'
import * as recordRows from '../../src/db/record/write.ts'
import type { Fairlead } from './fairlead.ts'

/** Another customer of the installation, with a list. */
export const addAccount = async ({ db, wiring }: Fairlead) => {
  const { id: accountId } = await accounts.insert(db, wiring.secrets, { name: 'Stranger' })
  const listId = await lists.insert(db, accountId, { name: 'Theirs', columns: [] }, operator)
  const columns = await columnRows.all(db, accountId, listId)
  const scope = await scopeOf(db, wiring.secrets, { accountId, listId }, columns)
  const key = columns.find(({ type }) => type === 'email')!.key
  return {
    addRecord: (email: string): Promise<string> =>
      recordRows.insert(db, scope, { values: { [key]: email }, externalId: null }),
    has: async (recordId: string): Promise<boolean> =>
      (await db.$client`select from records where id = ${recordId}`).length === 1,
  }
}

import { and, eq, isNull } from 'drizzle-orm'
import type { FieldType } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { emailKeyColumn, firstFreeColumn, fixedColumnKeys, lockedFields } from '../../domain/list.ts'
import * as accounts from '../account.ts'
import * as audits from '../audit.ts'
import { mostColumns } from '../column/add.ts'
import { refuseTaken } from '../column/name.ts'
import { recognise } from '../column/recognise.ts'
import type { Database } from '../database.ts'
import { refuseTwins } from '../failure.ts'
import * as folders from '../folder.ts'
import type { Transaction } from '../outbox.ts'
import { columns, lists } from '../schema.ts'

export type NewList = { name: string; folderId?: string | undefined; columns: { name: string; type: FieldType }[] }

/** More would make every page of lists slow. */
const mostLists = 10_000

const ownColumns = lockedFields.map((field) => ({
  key: fixedColumnKeys[field]!,
  name: { Email: 'E-mail', FirstName: 'First name', LastName: 'Last name' }[field],
  type: fixedColumnKeys[field] === emailKeyColumn ? ('email' as const) : ('text' as const),
  locked: true,
}))

/** Names by which the columns that every list has are found, in lower case. */
const ownNames = [...lockedFields, ...ownColumns.map(({ name }) => name)].map((name) => name.toLowerCase())

/** The columns of a new plain list: those that every list has, then those asked for. Errors: invalidInput, nameTaken. */
const planColumns = (asked: NewList['columns']) => {
  if (ownColumns.length + asked.length > mostColumns)
    throw new FairleadError('invalidInput', { detail: `A list has at most ${mostColumns} columns.` })
  const found = new Map(ownNames.map((name) => [name, { id: '' }]))
  const further = asked.map((column, index) => {
    refuseTaken((name) => found.get(name.toLowerCase()), column.name, `columns[${index}].name`)
    found.set(column.name.toLowerCase(), { id: '' })
    return { ...column, key: `c${firstFreeColumn + index}`, locked: false }
  })
  return [...ownColumns, ...further]
}

/** The same within a transaction that makes more than the list. */
export const insertIn = async (
  tx: Transaction,
  accountId: string,
  asked: NewList,
  actor: audits.Actor,
): Promise<string> => {
  await accounts.lock(tx, accountId, 'no key update')
  const folder = await (asked.folderId === undefined
    ? folders.getDefault(tx, accountId)
    : folders.get(tx, accountId, asked.folderId))
  const planned = planColumns(asked.columns)
  const live = and(eq(lists.accountId, accountId), isNull(lists.removedAt))
  if ((await tx.$count(lists, live)) >= mostLists)
    throw new FairleadError('invalidInput', { detail: `An account has at most ${mostLists} lists.` })
  const [list] = await tx
    .insert(lists)
    .values({
      accountId,
      folderId: folder.id,
      name: asked.name,
      kind: 'plain',
      position: await folders.topOf(tx, folder.id),
      nextColumn: firstFreeColumn + asked.columns.length,
    })
    .returning({ id: lists.id })
  const listId = list!.id
  const rows = planned.map((column, position) => ({ ...column, accountId, listId, position }))
  await recognise(tx, accountId, await tx.insert(columns).values(rows).returning())
  await audits.insert(tx, accountId, actor, { action: 'list.create', targetId: listId })
  return listId
}

/** A plain list at the top of a folder, `Default` unless one is named. Errors: notFound for the folder, nameTaken, invalidInput. */
export const insert = (db: Database, accountId: string, asked: NewList, actor: audits.Actor): Promise<string> =>
  refuseTwins(db.transaction((tx) => insertIn(tx, accountId, asked, actor)))

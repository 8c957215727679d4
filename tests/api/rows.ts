import type { CrmEntity, FieldType } from '../../src/domain/crm.ts'
import { listKindOf } from '../../src/domain/list.ts'
import type { Database } from '../../src/db/database.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import type { SecretBox } from '../../src/db/secret.ts'
import * as t from '../../src/db/schema.ts'
import { and, eq } from 'drizzle-orm'

/** Rows put straight into the tables, as the workers leave them. */

export const field = (name: string, type: FieldType = 'text') => ({
  name,
  label: name,
  type,
  maxLength: 64,
  custom: false,
  readOnly: false,
  required: false,
  locked: false,
  address: false,
  picklist: null,
  picklistStorage: null,
})

export const crmFields = [
  ...['Email', 'FirstName', 'LastName', 'Title', 'WorkPhone', 'Address/City'].map((name) => field(name)),
  field('CreateDate', 'instant'),
  field('ModifyDate', 'instant'),
]

export const addConnection = async (
  db: Database,
  accountId: string,
  values: Partial<typeof t.connections.$inferInsert> = {},
): Promise<string> => {
  const [connection] = await db
    .insert(t.connections)
    .values({ accountId, state: 'connected', url: 'https://crm.example.com/sdata', username: 'fairlead', ...values })
    .returning()
  const connectionId = connection!.id
  for (const entity of ['lead', 'contact'] as const) {
    await db.insert(t.crmFields).values({ connectionId, entity, accountId, fields: crmFields })
  }
  return connectionId
}

type Columns = Record<string, [name: string, type: FieldType, crmField?: string | null]>
const fixed: Columns = {
  c1: ['E-mail', 'email', 'Email'],
  c2: ['First name', 'text', 'FirstName'],
  c3: ['Last name', 'text', 'LastName'],
}

export type ListOptions = {
  entity?: CrmEntity
  connectionId?: string
  name?: string
  columns?: Columns
  recordCount?: number
}

export const defaultFolder = async (db: Database, accountId: string): Promise<string> => {
  const [folder] = await db
    .select()
    .from(t.folders)
    .where(and(eq(t.folders.accountId, accountId), eq(t.folders.name, 'Default')))
  return folder!.id
}

export const addList = async (
  db: Database,
  accountId: string,
  { entity = 'lead', connectionId, name = 'All Infor CRM Leads', columns = {}, recordCount = 0 }: ListOptions = {},
): Promise<string> => {
  const folderId = await defaultFolder(db, accountId)
  const kind = listKindOf[entity]
  const [list] = await db
    .insert(t.lists)
    .values({ accountId, folderId, connectionId, name, kind, recordCount })
    .returning()
  const listId = list!.id
  const rows = Object.entries({ ...fixed, ...columns }).map(([key, [label, type, crmField = null]], position) => ({
    accountId,
    listId,
    key,
    name: label,
    type,
    crmField,
    position,
    locked: key in fixed,
  }))
  await db.insert(t.columns).values(rows)
  return listId
}

export const addRun = async (
  db: Database,
  accountId: string,
  values: Partial<typeof t.runs.$inferInsert> = {},
): Promise<string> => {
  const [run] = await db
    .insert(t.runs)
    .values({ accountId, kind: 'import', state: 'succeeded', trigger: 'api', workflowId: 'import:test', ...values })
    .returning()
  return run!.id
}

type NewRecord = { fields: Record<string, unknown> } & Partial<Omit<typeof t.records.$inferInsert, 'fields'>>

/** Fields are given by column key; the keyed hash of `c1` is made here. Answers the ids in order. */
export const addRecords = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  listId: string,
  rows: NewRecord[],
): Promise<string[]> => {
  const hashKey = await hashKeyOf(db, secrets, accountId)
  const values = rows.map((row) => ({ accountId, listId, emailKey: emailKeyOf(hashKey, row.fields['c1']), ...row }))
  const made = await db.insert(t.records).values(values).returning({ id: t.records.id })
  return made.map(({ id }) => id)
}

import { and, eq, isNull, sql, type SQL } from 'drizzle-orm'
import type { CrmEntity } from '../../domain/crm.ts'
import { isEdited, type AgreedValues } from '../../domain/sync.ts'
import { parseValues } from '../../domain/values.ts'
import { suppressedSql } from '../filter.ts'
import { records } from '../schema.ts'

export type RecordRow = {
  id: string
  crmEntity: CrmEntity | null
  crmId: string | null
  crmState: 'linked' | 'deletedInCrm' | 'converted' | 'merged'
  /** column key → value; numbers that a double cannot hold are text */
  values: Record<string, string | number | boolean | null>
  /** a version 7 id begins with the time of its making */
  createdAt: Date
  updatedAt: Date | null
  removedAt: Date | null
  externalId: string | null
  /** an active suppression of the account for the address (R34) */
  suppressed: boolean
  version: number
  /** keys of values that were edited here, and that the CRM has not agreed to yet */
  pending: string[]
  /** keys of values that an undo has set back on one side, and that are neither pushed nor pulled until either side changes */
  held: string[]
}

/** The list as the caller has read it, so that a million rows need not be joined with it. */
export type ListOf = { id: string; connectionId: string | null }

/** Looked up per row of the answer, so after the limit, as suppressions are. Spelled out: in a select from one table drizzle drops table names. */
export const crmState = ({ connectionId }: ListOf): SQL<RecordRow['crmState']> =>
  sql`coalesce((select p.state from crm_people p where p.connection_id = ${connectionId}::uuid
    and p.entity = records.crm_entity and p.crm_id = records.crm_id), 'linked')`

const { id, crmEntity, crmId, updatedAt, removedAt, externalId, version } = records
const createdAt = sql<Date>`uuid_extract_timestamp(${id})`.mapWith(updatedAt)
export const selection = {
  id,
  crmEntity,
  crmId,
  createdAt,
  updatedAt,
  removedAt,
  externalId,
  version,
  fields: sql<string>`${records.fields}::text`,
  agreed: sql<string>`${records.agreed}::text`,
  suppressed: suppressedSql,
}

const openOf = (agreed: string): Pick<RecordRow, 'pending' | 'held'> => {
  if (agreed === '{}') return { pending: [], held: [] }
  const open = Object.entries(JSON.parse(agreed) as AgreedValues)
  const keys = (wanted: boolean): string[] => open.filter(([, each]) => isEdited(each) === wanted).map(([key]) => key)
  return { pending: keys(true), held: keys(false) }
}

export const toRow = <Row extends { fields: string; agreed: string }>({ fields, agreed, ...row }: Row) => ({
  ...row,
  values: parseValues(fields),
  ...openOf(agreed),
})

/** Records of a list, removed ones too. */
export const ofList = (accountId: string, listId: string) =>
  and(eq(records.accountId, accountId), eq(records.listId, listId))
export const live = (accountId: string, listId: string) => and(ofList(accountId, listId), isNull(removedAt))

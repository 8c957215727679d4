import { counterpartsOf } from '../counterpart.ts'
import type { CrmEntity, CrmField } from '../crm.ts'
import type { FilterColumn } from '../filter.ts'
import { entityOf, type ListKind } from '../list.ts'

export type SettingsColumn = FilterColumn & { maxLength: number | null; system: boolean; staleAt: Date | null }

/** What settings are checked against: the list's columns, and what the CRM's entities look like where that is known. */
export type SettingsOf = {
  kind: ListKind
  /** those of a segment, which can only push */
  ofSegment?: boolean
  columns: readonly SettingsColumn[]
  live: Partial<Record<CrmEntity, readonly CrmField[]>>
}

export const entities = ['lead', 'contact'] as const

/** The field of each column on each entity, by column key. */
export const fieldsOf = ({ kind, columns, live }: SettingsOf): Record<CrmEntity, Map<string, CrmField | null>> => {
  const on = (entity: CrmEntity) =>
    new Map(counterpartsOf(columns, live[entity] ?? [], entityOf(kind), entity).map(({ key, field }) => [key, field]))
  return { lead: on('lead'), contact: on('contact') }
}

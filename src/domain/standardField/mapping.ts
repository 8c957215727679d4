import { counterpartsOf, crmNameOf, type BoundColumn } from '../counterpart.ts'
import type { CrmEntity, CrmField } from '../crm.ts'
import { isAddressName } from './name.ts'
import { usageOf } from './usage.ts'

/** A standard field as a column sees it. */
export type Standard = { name: string; systemUsage: string | null } & Record<CrmEntity, string | null>

export type StandardField = {
  id: string
  name: string
  aliases: string[]
  systemUsage: string | null
  leadField: string | null
  contactField: string | null
}

type Column = BoundColumn & { name: string; standard?: Standard | null }

/** A column that is something in the CRM: by its binding, else by its standard field. */
export const isMapped = ({ key, crmField, standard }: Pick<Column, 'key' | 'crmField' | 'standard'>): boolean =>
  crmNameOf({ key, crmField }) !== null || (standard?.lead ?? standard?.contact ?? null) !== null

const isAddress = ({ name, standard }: Column): boolean =>
  isAddressName(name) ||
  (standard != null &&
    (isAddressName(standard.name) ||
      usageOf(standard.systemUsage)?.address === true ||
      [standard.lead, standard.contact].some((field) => field?.toLowerCase().startsWith('address/'))))

/** A column whose values the CRM does not get, and why; `field` is the one that another column has. */
export type LeftOut = { key: string; name: string; code: 'addressNotMapped' | 'fieldTaken'; field?: string }

/**
 * R28: columns of addresses that are nothing in the CRM, or whose field neither entity has or can hold; and columns whose CRM field another column
 * of the list is already.
 */
export const leftOut = (
  columns: readonly Column[],
  live: Partial<Record<CrmEntity, readonly CrmField[]>>,
  own: CrmEntity | null,
): LeftOut[] => {
  const found = (['lead', 'contact'] as const).map((entity) => counterpartsOf(columns, live[entity] ?? [], own, entity))
  const isKnown = live.lead !== undefined || live.contact !== undefined
  return columns.flatMap((column, index): LeftOut[] => {
    const { key, name } = column
    if (crmNameOf(column) !== null) return []
    const fates = found.map((each) => each[index]!)
    if (fates.some(({ field }) => field !== null)) return []
    const taken = fates.find((each) => each.taken !== undefined)?.taken
    if (taken !== undefined) return [{ key, name, code: 'fieldTaken', field: taken }]
    return isAddress(column) && (isKnown || !isMapped(column)) ? [{ key, name, code: 'addressNotMapped' }] : []
  })
}

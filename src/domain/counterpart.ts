import type { CrmEntity, CrmField, FieldType } from './crm.ts'
import type { FilterColumn } from './filter.ts'
import { fixedColumnKeys, lockedFields, systemFields } from './list.ts'
import { labelsOf } from './record.ts'

export type BoundColumn = {
  key: string
  type: FieldType
  crmField: string | null
  /** of a column without a bound field: the fields of its standard field (A1) */
  standard?: Record<CrmEntity, string | null> | null
}

/**
 * Fields that mean the same and differ in name by more than case (`DoNotFAX` and `DoNotFax` are one name). What only looks alike is not here: a
 * lead's `TollFree` is its company's number, a contact's `OtherPhone` any other; a contact's industry, revenue and employees are its account's.
 */
const pairs: readonly Record<CrmEntity, string>[] = [
  // the company's name as text: a lead has no account, a contact carries the name of its own
  { lead: 'Company', contact: 'AccountName' },
  // put together by the CRM from the same parts of the name, so these are only ever read; a history entry takes the first as the person's name
  { lead: 'LeadNameLastFirst', contact: 'NameLF' },
  { lead: 'LeadNameFirstLast', contact: 'Name' },
  { lead: 'LeadNamePrefixFirstLast', contact: 'NamePFL' },
  { lead: 'LeadFullName', contact: 'FullName' },
  // city, state and zip of the primary address in one line, put together by the CRM
  { lead: 'Address/LeadCtyStZip', contact: 'Address/CityStateZip' },
]

const otherNames: Record<CrmEntity, ReadonlyMap<string, string>> = {
  lead: new Map(pairs.map(({ lead, contact }) => [contact.toLowerCase(), lead])),
  contact: new Map(pairs.map(({ lead, contact }) => [lead.toLowerCase(), contact])),
}

const keyOf = (name: string): string => fixedColumnKeys[name] ?? ''
const lockedNames = new Map<string, string>(lockedFields.map((name) => [keyOf(name), name]))
const alwaysRead = new Set(systemFields.map(keyOf))

type Fixed = { key: string; system: boolean }
/** Read by every sync, whatever is ticked. */
export const isAlwaysRead = ({ key, system }: Fixed): boolean => system || alwaysRead.has(key)
/** A column that a list cannot be without. */
export const isFixed = (column: Fixed): boolean => isAlwaysRead(column) || lockedNames.has(column.key)

/** Column key → the name of the column in settings: as records show it, e-mail and names as the CRM calls them. */
export const namesOf = (columns: readonly FilterColumn[]): Map<string, string> =>
  new Map([...lockedNames, ...labelsOf(columns)])

/** Finds columns by the name that `namesOf` gives them; then by id, key, CRM field or name of their own, in any case. */
export const columnFinder = <Column extends FilterColumn>(
  columns: readonly Column[],
): ((said: string) => Column | undefined) => {
  const names = namesOf(columns)
  const found = new Map<string, Column>()
  for (const naming of [
    ({ key }: Column) => names.get(key),
    ({ id }: Column) => id,
    ({ key }: Column) => key,
    ({ crmField }: Column) => crmField,
    ({ name }: Column) => name,
  ]) {
    for (const column of columns) {
      const name = naming(column)?.toLowerCase()
      if (name !== undefined && !found.has(name)) found.set(name, column)
    }
  }
  return (said) => found.get(said.toLowerCase())
}

/** The CRM field of a column. E-mail and names have theirs on every list, also on one that was not imported. */
export const crmNameOf = ({ key, crmField }: Pick<BoundColumn, 'key' | 'crmField'>): string | null =>
  crmField ?? lockedNames.get(key) ?? null

/** R8: of related paths only those of the address can be written. */
export const isPushable = ({ name, readOnly }: Pick<CrmField, 'name' | 'readOnly'>): boolean =>
  !readOnly && (!name.includes('/') || name.toLowerCase().startsWith('address/'))

const textual: ReadonlySet<FieldType> = new Set(['text', 'email', 'phone', 'picklist'])
const fits = (a: FieldType, b: FieldType): boolean => a === b || (textual.has(a) && textual.has(b))

type Counterpart = { key: string; field: CrmField | null; taken?: string }

const findCounterparts = (
  columns: readonly BoundColumn[],
  live: readonly CrmField[],
  own: CrmEntity | null,
  target: CrmEntity,
): Counterpart[] => {
  const byName = new Map(live.map((field) => [field.name.toLowerCase(), field]))
  return columns.map((column) => {
    const name = (crmNameOf(column) ?? column.standard?.[target])?.toLowerCase()
    if (name === undefined) return { key: column.key, field: null }
    const same = byName.get(name)
    if (crmNameOf(column) === null)
      return { key: column.key, field: same && fits(column.type, same.type) ? same : null }
    if (target === own) return { key: column.key, field: same ?? null }
    const candidates = [same, byName.get(otherNames[target].get(name)?.toLowerCase() ?? '')]
    return { key: column.key, field: candidates.find((field) => field && fits(column.type, field.type)) ?? null }
  })
}

/**
 * Each column's field on an entity of the CRM, as the CRM describes it now; null where there is none. On the list's own entity a column is the
 * field that it is bound to; on the other one the field of equal name, then that of the table of pairs, if it can hold the same values: a text
 * sent to a number would cost the whole person. A column that only means a field by its standard field gives way to one that is bound to it, else
 * to the first that means it; `taken` is then the name of the field. `own` is null for a plain list.
 */
export const counterpartsOf = (
  columns: readonly BoundColumn[],
  live: readonly CrmField[],
  own: CrmEntity | null,
  target: CrmEntity,
): Counterpart[] => {
  const found = findCounterparts(columns, live, own, target)
  const isBound = (index: number): boolean => crmNameOf(columns[index]!) !== null
  const held = new Set(found.flatMap(({ field }, index) => (field !== null && isBound(index) ? [field.name] : [])))
  return found.map(({ key, field }, index) => {
    if (field === null || isBound(index)) return { key, field }
    if (held.has(field.name)) return { key, field: null, taken: field.name }
    held.add(field.name)
    return { key, field }
  })
}

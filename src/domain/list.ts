import type { CrmEntity, CrmValue } from './crm.ts'

export type ListKind = 'crmLeads' | 'crmContacts' | 'plain'

export const listKindOf: Record<CrmEntity, ListKind> = { lead: 'crmLeads', contact: 'crmContacts' }
export const entityOf = (kind: ListKind): CrmEntity | null =>
  kind === 'crmLeads' ? 'lead' : kind === 'crmContacts' ? 'contact' : null

export const importedListName: Record<CrmEntity, string> = {
  lead: 'All Infor CRM Leads',
  contact: 'All Infor CRM Contacts',
}

/** "All Infor CRM Leads (2)" for the second list of an entity (I4). */
export const numberedName = (name: string, taken: readonly string[]): string => {
  const used = new Set(taken.map((each) => each.toLowerCase()))
  if (!used.has(name.toLowerCase())) return name
  let number = 2
  while (used.has(`${name} (${number})`.toLowerCase())) number += 1
  return `${name} (${number})`
}

/** Column keys that every list has, so that e-mail and name are found without looking a column up. */
export const emailKeyColumn = 'c1'
export const lockedFields = ['Email', 'FirstName', 'LastName'] as const
export const systemFields = ['CreateDate', 'ModifyDate', 'DoNotEmail', 'DoNotSolicit'] as const
export const fixedColumnKeys: Readonly<Record<string, string>> = {
  Email: 'c1',
  FirstName: 'c2',
  LastName: 'c3',
  CreateDate: 'c4',
  ModifyDate: 'c5',
  DoNotEmail: 'c6',
  DoNotSolicit: 'c7',
}

/**
 * What is always read, and a plain list has no columns for: the dates that tell whether the CRM is the one we knew (C3) and who took over from whom
 * (R16), and who wants no mail (R34).
 */
export const keptOf = (
  { own }: { own: CrmEntity | null },
  values: Readonly<Record<string, CrmValue>>,
): Record<string, CrmValue> => {
  if (own !== null) return {}
  const known = systemFields.flatMap((name) => {
    const value = values[name]
    return value === undefined ? [] : [[fixedColumnKeys[name]!, value] as const]
  })
  return Object.fromEntries(known)
}
export const firstFreeColumn = 8

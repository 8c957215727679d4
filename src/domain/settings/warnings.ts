import { settingsSentence, type SettingsCode } from '../cause.ts'
import { crmNameOf, isPushable, namesOf } from '../counterpart.ts'
import type { CrmEntity } from '../crm.ts'
import { entityOf } from '../list.ts'
import type { SyncSettings } from '../sync.ts'
import { entities, fieldsOf, type SettingsColumn, type SettingsOf } from './of.ts'

export type SettingsWarning = { code: SettingsCode; message: string; field: string }

const noField = { lead: 'noFieldOnLead', contact: 'noFieldOnContact' } as const
/** What is risky about settings that can be stored: said when they are shown and when they are saved, for what they switch on. */
export const warningsOf = ({ push, pull }: SyncSettings, of: SettingsOf): SettingsWarning[] => {
  const { kind, columns, live } = of
  const names = namesOf(columns)
  const own = entityOf(kind)
  const warnings = new Map<string, SettingsWarning>()
  const warn = (code: SettingsCode, field: string, about: { entity?: CrmEntity; most?: number } = {}): void => {
    const message = settingsSentence(code, field, about)
    warnings.set(message, { code, message, field })
  }
  const found = fieldsOf(of)
  const creates = push.enabled && push.addNew
  const isTicked = (key: string): boolean => push.enabled && push.updateExisting && push.fields.includes(key)
  const isPulled = (key: string): boolean => pull.enabled && !pull.excludedFields.includes(key)

  const checkField = (column: SettingsColumn, entity: CrmEntity): void => {
    const name = names.get(column.key) ?? column.key
    const field = found[entity].get(column.key) ?? null
    const source = own && found[own].get(column.key)
    // what the CRM sets by itself is no loss
    if (field === null) return source && !isPushable(source) ? undefined : warn(noField[entity], name)
    if (!isPushable(field))
      return (own === null || entity === own) && isTicked(column.key) ? warn('fieldReadOnly', name) : undefined
    // texts here are as long as the field was when the column was made, or is now
    const longest = Math.max(column.maxLength ?? 0, source ? (source.maxLength ?? Infinity) : 0)
    if (field.maxLength !== null && longest > field.maxLength)
      warn('fieldTooShort', name, { entity, most: field.maxLength })
  }

  for (const column of columns) {
    const { key, system, staleAt } = column
    const [ticked, created] = [isTicked(key), creates && !system]
    const name = names.get(key) ?? key
    const bound = crmNameOf(column) !== null
    const gone = staleAt !== null || (own !== null && live[own] !== undefined && !found[own].get(key))
    if (bound && gone) {
      if (ticked || created || isPulled(key)) warn('fieldMissing', name)
      continue
    }
    if (!bound && ticked && !created) warn('notMapped', name)
    else
      for (const entity of entities)
        if (live[entity] !== undefined && (ticked || (created && entity === 'lead'))) checkField(column, entity)
  }
  const given = new Set(Object.keys(push.newLeadDefaults))
  for (const field of found.lead.values()) if (field) given.add(field.name)
  for (const { name, required, readOnly, address } of creates ? (live.lead ?? []) : [])
    if (required && !readOnly && !address && !given.has(name)) warn('requiredMissing', name)
  return [...warnings.values()]
}

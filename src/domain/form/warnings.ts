import { settingsSentence, type SettingsCode } from '../cause.ts'
import { isPushable } from '../counterpart.ts'
import { fieldsOf, type SettingsOf } from '../settings/of.ts'
import { isMapped, leftOut } from '../standardField.ts'
import { entityOf } from '../list.ts'
import type { FormDefinition } from './definition.ts'

/** `field`: of the form, or of the CRM for `requiredMissing`. */
type FormWarning = { code: SettingsCode; message: string; field: string }

/** What of a form that pushes reaches nothing in the CRM, and what a new lead would lack. */
export const formWarnings = ({ fields, push, newLeadDefaults }: FormDefinition, of: SettingsOf): FormWarning[] => {
  if (!push) return []
  const used = new Set(fields.flatMap(({ column }) => (column === null ? [] : [column])))
  const columns = of.columns.filter(({ key }) => used.has(key))
  const found = fieldsOf({ ...of, columns })
  const left = new Map(leftOut(columns, of.live, entityOf(of.kind)).map(({ key, code }) => [key, code]))
  const byKey = new Map(columns.map((column) => [column.key, column]))
  const warnings: FormWarning[] = []
  const warn = (code: SettingsCode, field: string) =>
    warnings.push({ code, message: settingsSentence(code, field), field })
  const given = new Set(Object.keys(newLeadDefaults))
  for (const { name, column: key, required, hidden } of fields) {
    const column = byKey.get(key ?? '')
    const field = found.lead.get(key ?? '') ?? null
    if (field !== null && (required || (hidden !== null && 'value' in hidden))) given.add(field.name)
    const code = left.get(key ?? '')
    if (code !== undefined) warn(code, name)
    else if (column === undefined || !isMapped(column)) warn('notMapped', name)
    else if (of.live.lead !== undefined && field === null) warn('noFieldOnLead', name)
    else if (field !== null && !isPushable(field)) warn('fieldReadOnly', name)
  }
  for (const { name, required, readOnly, address } of of.live.lead ?? [])
    if (required && !readOnly && !address && !given.has(name)) warn('requiredMissing', name)
  return warnings
}

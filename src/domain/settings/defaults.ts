import { isPushable } from '../counterpart.ts'
import type { CrmField, FieldType } from '../crm.ts'
import type { ErrorCode } from '../errors.ts'
import { isSecretField } from '../field.ts'

/** What a lead refers to instead of holding it: given by name or id, found in the CRM when the lead is made. */
const leadRelations = ['Owner', 'LeadSource', 'AccountManager'] as const

export const leadRelationNamed = (said: string): (typeof leadRelations)[number] | undefined =>
  leadRelations.find((name) => name.toLowerCase() === said.toLowerCase())

/** What is wrong, and where in the request. */
export type Issue = { code: ErrorCode; path: string; message: string }
export type Default = string | number | boolean
const longestDefault = 2000

const isDay = (text: string): boolean => {
  const at = new Date(`${text}T00:00:00.000Z`)
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}

/** What is wrong with a default for a field of this type; undefined when nothing is. */
const misfit = (type: FieldType, maxLength: number | null, value: Default): string | undefined => {
  if (type === 'number') return typeof value === 'number' ? undefined : 'expects a number.'
  if (type === 'boolean') return typeof value === 'boolean' ? undefined : 'expects true or false.'
  if (typeof value !== 'string' || value.trim() === '') return 'expects text that is not blank.'
  if (type === 'date') return isDay(value) ? undefined : 'expects a day such as 2026-11-23.'
  if (type === 'instant')
    return isDay(value.slice(0, 10)) && /T\d\d:\d\d.*(Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value))
      ? undefined
      : 'expects an instant such as 2026-11-23T10:00:00Z.'
  const most = maxLength ?? longestDefault
  return value.length > most ? `expects at most ${most} characters.` : undefined
}

/** `newLeadDefaults` by canonical names; what is wrong goes to `issues`. */
export const readDefaults = (
  given: Record<string, Default>,
  live: readonly CrmField[] | undefined,
  before: Record<string, Default>,
  issues: Issue[],
): Record<string, Default> => {
  const read = new Map<string, Default>()
  const fields = new Map((live ?? []).map((field) => [field.name.toLowerCase(), field]))
  for (const [said, value] of Object.entries(given)) {
    const fail = (code: ErrorCode, message: string): number =>
      issues.push({ code, path: `push.newLeadDefaults.${said}`, message })
    const relation = leadRelationNamed(said)
    const field = fields.get(said.toLowerCase())
    const name = relation ?? field?.name ?? said
    const wrong = misfit(
      relation ? 'text' : (field?.type ?? 'text'),
      relation ? 128 : (field?.maxLength ?? null),
      value,
    )
    if (isSecretField(said)) fail('secretField', `"${said}" holds a secret and is never written.`)
    else if (read.has(name)) fail('duplicateField', `"${name}" is named twice.`)
    else if (name.toLowerCase() === 'email') fail('invalidInput', 'Everybody has an address of their own.')
    else if (relation === undefined && field === undefined && (live !== undefined || before[said] !== value))
      fail(
        'unknownField',
        live ? `A lead has no field "${said}".` : 'The fields of a lead are not known at the moment.',
      )
    else if (field !== undefined && relation === undefined && !isPushable(field))
      fail('fieldReadOnly', `${name} is set by the CRM itself.`)
    else if (wrong !== undefined && (relation ?? field) !== undefined) fail('invalidInput', `${name} ${wrong}`)
    else read.set(name, field?.type === 'instant' ? new Date(String(value)).toISOString() : value)
  }
  return Object.fromEntries(read)
}

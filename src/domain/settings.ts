import { columnFinder, counterpartsOf, crmNameOf, isAlwaysRead, isPushable, namesOf } from './counterpart.ts'
import { settingsSentence, type SettingsCode } from './cause.ts'
import type { CrmEntity, CrmField, FieldType } from './crm.ts'
import { FairleadError, type ErrorCode } from './errors.ts'
import { isSecretField } from './field.ts'
import type { FilterColumn } from './filter.ts'
import { entityOf, type ListKind } from './list.ts'
import type { PullSettings, SyncSettings } from './sync.ts'

export type SettingsColumn = FilterColumn & { maxLength: number | null; system: boolean; staleAt: Date | null }

/** What settings are checked against: the list's columns, and what the CRM's entities look like where that is known. */
export type SettingsOf = {
  kind: ListKind
  columns: readonly SettingsColumn[]
  live: Partial<Record<CrmEntity, readonly CrmField[]>>
}

/** What a lead refers to instead of holding it: given by name or id, found in the CRM when the lead is made. */
const leadRelations = ['Owner', 'LeadSource', 'AccountManager'] as const

type Issue = { code: ErrorCode; path: string; message: string }
type Default = string | number | boolean
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

const readDefaults = (
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
    const relation = leadRelations.find((name) => name.toLowerCase() === said.toLowerCase())
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

const entities = ['lead', 'contact'] as const

/** The field of each column on each entity, by column key. */
const fieldsOf = ({ kind, columns, live }: SettingsOf): Record<CrmEntity, Map<string, CrmField | null>> => {
  const on = (entity: CrmEntity) =>
    new Map(counterpartsOf(columns, live[entity] ?? [], entityOf(kind), entity).map(({ key, field }) => [key, field]))
  return { lead: on('lead'), contact: on('contact') }
}

/** Says of a column why it can never be written to the CRM; undefined when it can, or when that shows only later. */
const unpushable = (of: SettingsOf): ((column: SettingsColumn) => string | undefined) => {
  const own = entityOf(of.kind)
  const found = fieldsOf(of)
  const names = namesOf(of.columns)
  return (column) => {
    const label = names.get(column.key)
    if (column.system) return `${label} is read for Fairlead’s own use.`
    const name = crmNameOf(column)
    if (name !== null && !isPushable({ name, readOnly: false }))
      return `${label} belongs to something else than the person.`
    const fields = (own === null ? entities : [own]).map((entity) => found[entity].get(column.key) ?? null)
    return fields.some((field) => field?.readOnly) && !fields.some((field) => field && isPushable(field))
      ? `${label} is set by the CRM itself or may not be written by the CRM user.`
      : undefined
  }
}

/**
 * Settings as a person gives them, by the names of columns, read into keys. `before` is what is stored now. Names match in any case. Throws the
 * first thing that is wrong, with all places: unknownColumn, duplicateField, fieldReadOnly, unknownField, secretField, pullNotPossible,
 * invalidInput.
 */
export const readSettings = (asked: SyncSettings, of: SettingsOf, before: SyncSettings): SyncSettings => {
  const issues: Issue[] = []
  const find = columnFinder(of.columns)
  const refusal = unpushable(of)
  const read = (
    names: readonly string[],
    at: string,
    refuse: (column: SettingsColumn) => Omit<Issue, 'path'> | undefined,
  ): string[] => {
    const keys = new Set<string>()
    for (const [index, name] of names.entries()) {
      const path = `${at}[${index}]`
      const column = find(name)
      if (column === undefined) {
        issues.push({ code: 'unknownColumn', path, message: `The list has no column "${name}".` })
        continue
      }
      const refused = keys.has(column.key)
        ? { code: 'duplicateField' as const, message: `"${name}" is named twice.` }
        : refuse(column)
      if (refused !== undefined) issues.push({ ...refused, path })
      keys.add(column.key)
    }
    return [...keys]
  }
  const fields = read(asked.push.fields, 'push.fields', (column) => {
    const message = refusal(column)
    return message === undefined ? undefined : { code: 'fieldReadOnly', message }
  })
  const clearFields = read(asked.push.clearFields, 'push.clearFields', ({ key }) =>
    fields.includes(key) ? undefined : { code: 'invalidInput', message: 'Only a field of push.fields can be cleared.' },
  )
  const excludedFields = read(asked.pull.excludedFields, 'pull.excludedFields', (column) =>
    isAlwaysRead(column) ? { code: 'invalidInput', message: 'This field is always read.' } : undefined,
  )
  const defaults = asked.push.newLeadDefaults
  const newLeadDefaults = readDefaults(defaults, of.live.lead, before.push.newLeadDefaults, issues)
  if (of.kind === 'plain' && asked.pull.enabled) {
    const message = 'A plain list has nothing in the CRM to pull from; it can only push.'
    issues.push({ code: 'pullNotPossible', path: 'pull.enabled', message })
  }
  const [first] = issues
  if (first !== undefined) {
    const errors = issues.map(({ path, message }) => ({ path, message }))
    throw new FairleadError(first.code, { detail: `${first.path}: ${first.message}`, errors })
  }
  return { push: { ...asked.push, fields, clearFields, newLeadDefaults }, pull: { ...asked.pull, excludedFields } }
}

/** Whether more is pulled than before, so that the next sync must read everybody (the paragraph after R14). */
export const widens = (before: PullSettings, after: PullSettings): boolean =>
  after.enabled &&
  (!before.enabled ||
    (after.addNew && !before.addNew) ||
    (after.updateExisting && !before.updateExisting) ||
    before.excludedFields.some((key) => !after.excludedFields.includes(key)))

/** Equal for lists and maps that differ in order only, which says nothing here. */
const canonical = (value: unknown): string => {
  if (!(value instanceof Object)) return String(value)
  const parts = Array.isArray(value) ? value.map(String) : Object.entries(value).map((each) => JSON.stringify(each))
  return parts.sort().join('\n')
}

/** Names of what a save changed, such as `push.fields`: for the audit trail, without any value. */
export const changedParts = (before: SyncSettings, after: SyncSettings): string[] =>
  (['push', 'pull'] as const).flatMap((side) => {
    const [was, is] = [before[side], after[side]] as [Record<string, unknown>, Record<string, unknown>]
    return Object.keys(is).flatMap((name) => (canonical(was[name]) === canonical(is[name]) ? [] : [`${side}.${name}`]))
  })

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
    if (!isPushable(field)) return entity === own && isTicked(column.key) ? warn('fieldReadOnly', name) : undefined
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

import { columnFinder, crmNameOf, isAlwaysRead, isPushable, namesOf } from '../counterpart.ts'
import { FairleadError } from '../errors.ts'
import { entityOf } from '../list.ts'
import type { SyncSettings } from '../sync.ts'
import { readDefaults, type Issue } from './defaults.ts'
import { entities, fieldsOf, type SettingsColumn, type SettingsOf } from './of.ts'

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
  if ((of.kind === 'plain' || of.ofSegment === true) && asked.pull.enabled) {
    const message =
      of.ofSegment === true
        ? 'A segment can only push; its list pulls.'
        : 'A plain list has nothing in the CRM to pull from; it can only push.'
    issues.push({ code: 'pullNotPossible', path: 'pull.enabled', message })
  }
  const [first] = issues
  if (first !== undefined) {
    const errors = issues.map(({ path, message }) => ({ path, message }))
    throw new FairleadError(first.code, { detail: `${first.path}: ${first.message}`, errors })
  }
  return { push: { ...asked.push, fields, clearFields, newLeadDefaults }, pull: { ...asked.pull, excludedFields } }
}

import type { CrmValue } from './crm.ts'
import type { Ours } from './decide.ts'
import type { FilterColumn } from './filter.ts'
import { emailKeyColumn, lockedFields, systemFields } from './list.ts'
import { agreedBefore } from './sync.ts'
import { columnNoun, readTyped } from './typed.ts'
import { sameValue } from './values.ts'

export type RecordColumn = FilterColumn & { system: boolean }

/** What every record has besides `fields`, and the column behind each. */
export const ownNames = { email: 'c1', firstName: 'c2', lastName: 'c3' } as const
type OwnName = keyof typeof ownNames
const ownNameOf = new Map<string, OwnName>(Object.entries(ownNames).map(([name, key]) => [key, name as OwnName]))

/**
 * Column key → the name that a value has among `fields`: the CRM field, else the column's name. A name that is taken, in any case, by a CRM
 * field or an earlier column, or that looks like a key, gives way to the key, so that each name leads to one column.
 */
export const labelsOf = (columns: readonly FilterColumn[]): Map<string, string> => {
  const shown = columns.filter(({ key }) => !ownNameOf.has(key))
  const labels = new Map<string, string>()
  const taken = new Set<string>(lockedFields.map((name) => name.toLowerCase()))
  const inTurn = [...shown.filter(({ crmField }) => crmField !== null), ...shown]
  for (const { key, crmField, name } of inTurn) {
    if (labels.has(key)) continue
    const label = crmField ?? name
    const isFree = !taken.has(label.toLowerCase()) && !/^c\d+$/i.test(label)
    labels.set(key, isFree ? label : key)
    if (isFree) taken.add(label.toLowerCase())
  }
  return new Map(shown.map(({ key }) => [key, labels.get(key) ?? key]))
}

/** The name of any column as the record's JSON has it: `email`, or a name among `fields`. */
export const nameOf = (labels: ReadonlyMap<string, string>, key: string): string =>
  ownNameOf.get(key) ?? labels.get(key) ?? key

/** Why nobody writes a column here; undefined for one that can be written. */
export const readOnlyReason = ({ system, crmField }: RecordColumn): string | undefined => {
  const field = systemFields.find((name) => name.toLowerCase() === crmField?.toLowerCase())
  if (field === 'DoNotEmail' || field === 'DoNotSolicit') return 'is kept by the suppressions: use those.'
  return system || field !== undefined ? 'is read from the CRM and cannot be changed here.' : undefined
}

/** Whether a value can be given here; others are read from the CRM or kept by Fairlead itself. */
export const isWritable = (column: RecordColumn): boolean => readOnlyReason(column) === undefined

export type Trouble = { code: 'invalidInput' | 'fieldReadOnly'; path: string; message: string }
export type RecordInput = Partial<Record<OwnName, unknown>> & { fields?: Readonly<Record<string, unknown>> }
/** `values`: column key → value. With `troubles` the record must not be stored. */
export type RecordRead = { values: Record<string, CrmValue>; troubles: Trouble[] }

/**
 * Every name that a column goes by among `fields`, in lower case; where two want one name, the one that JSON shows has it. Keys are among the
 * names unless `byKeys` is false.
 */
export const columnsByName = (columns: readonly RecordColumn[], byKeys = true): Map<string, RecordColumn> => {
  const labels = labelsOf(columns)
  const byName = new Map<string, RecordColumn>()
  const namings = [
    ({ key }: RecordColumn) => (byKeys || labels.get(key) !== key ? labels.get(key) : undefined),
    ({ key }: RecordColumn) => (byKeys ? key : undefined),
    ({ crmField }: RecordColumn) => crmField,
    ({ name }: RecordColumn) => name,
  ]
  for (const naming of namings) {
    for (const column of columns) {
      const name = naming(column)?.toLowerCase()
      if (name !== undefined && !byName.has(name)) byName.set(name, column)
    }
  }
  return byName
}

/**
 * Reads what somebody wants a record of this list to hold, by the types of its columns (R8): names in any case, blank text is null. Troubles
 * name their place as `email` or `fields.<name>`.
 */
export const createReader = (columns: readonly RecordColumn[]): ((input: RecordInput) => RecordRead) => {
  const byName = columnsByName(columns)
  const byKey = new Map(columns.map((column) => [column.key, column]))
  return (input) => {
    const values: Record<string, CrmValue> = {}
    const troubles: Trouble[] = []
    const refuse = (path: string, message: string, code: Trouble['code'] = 'invalidInput') =>
      void troubles.push({ code, path, message })
    const add = (column: RecordColumn | undefined, path: string, value: unknown): void => {
      if (column === undefined) return refuse(path, 'The list has no such column.')
      const reason = readOnlyReason(column)
      if (reason !== undefined) return refuse(path, `This column ${reason}`, 'fieldReadOnly')
      if (column.key in values) return refuse(path, 'This column is given twice.')
      const type = column.key === emailKeyColumn ? 'email' : column.type
      const [found, expects] = readTyped(type, value)
      if (found === undefined) refuse(path, `${columnNoun(type)} ${expects}.`)
      else values[column.key] = found
    }
    for (const [name, key] of Object.entries(ownNames)) {
      const value = input[name as OwnName]
      if (value !== undefined) add(byKey.get(key), name, value)
    }
    for (const [name, value] of Object.entries(input.fields ?? {})) {
      add(byName.get(name.toLowerCase()), `fields.${name}`, value)
    }
    return { values, troubles }
  }
}

export type Editing = {
  /** the record belongs to somebody in the CRM; others have nobody to agree with */
  linked: boolean
  /** keys of the columns that are something in the CRM: bound to a field, or with a standard field */
  bound: ReadonlySet<string>
  /** when it was edited: ISO, our clock */
  at: string
}

/**
 * What edits change of a record: `patch` holds the values that differ, `agreed` is the whole of it afterwards. A value that goes back to what
 * both sides agreed on is pending no more.
 */
export const applyEdits = (
  ours: Ours,
  edits: Readonly<Record<string, CrmValue>>,
  { linked, bound, at }: Editing,
): Pick<Ours, 'agreed'> & { patch: Record<string, CrmValue> } => {
  const patch: Record<string, CrmValue> = {}
  const agreed = { ...ours.agreed }
  for (const [key, value] of Object.entries(edits)) {
    const before = ours.fields[key]
    if (sameValue(before, value)) continue
    patch[key] = value
    if (!linked || !bound.has(key)) continue
    const known = agreed[key]
    if (known !== undefined && known.n !== true && sameValue(known.v, value)) delete agreed[key]
    else agreed[key] = agreedBefore(known, before, at)
  }
  return { patch, agreed }
}

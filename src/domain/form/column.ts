import { columnFinder } from '../counterpart.ts'
import type { FieldType } from '../crm.ts'
import type { FilterColumn } from '../filter.ts'
import { emailKeyColumn } from '../list.ts'
import type { FormDefinition, FormField, FormFieldType } from './definition.ts'
import type { GivenField } from './read.ts'

const types: Partial<Record<FormFieldType, FieldType>> = {
  email: 'email',
  phone: 'phone',
  number: 'number',
  date: 'date',
  checkbox: 'boolean',
  consent: 'boolean',
}

/** The type of a column that is made for such a field. */
export const columnTypeOf = (type: FormFieldType): FieldType => types[type] ?? 'text'

const texts: ReadonlySet<FieldType> = new Set(['text', 'picklist'])

/** Whether a column can hold what such a field answers. What hidden fields bring is read by the type of the column. */
export const fieldFits = (type: FormFieldType, column: FieldType): boolean =>
  type === 'hidden' ? column !== 'email' : texts.has(column) || column === columnTypeOf(type)

/** What a column is called that nobody has named: as the field is labelled in the form's first language. */
const labelOf = ({ name, label }: GivenField, languages: readonly string[]): string =>
  typeof label === 'string' ? label : (label?.[languages[0] ?? 'en'] ?? name)

const isAddress = (field: GivenField): boolean => field.type === 'email' && field.column === undefined

/** The first e-mail field is the person's address unless another one is said to be. */
const isFirstAddress = (
  field: GivenField,
  fields: readonly GivenField[],
  find: (said: string) => { key: string } | undefined,
) =>
  isAddress(field) &&
  fields.find(isAddress) === field &&
  !fields.some(({ column }) => typeof column === 'string' && find(column)?.key === emailKeyColumn)

/** The column that a field means: the one that it names, else the one of its own name or label; `name` is what it would be called. */
export const columnFor = <Column extends FilterColumn>(
  field: GivenField,
  {
    fields,
    languages,
    columns,
  }: { fields: readonly GivenField[]; languages: readonly string[]; columns: readonly Column[] },
): { column: Column | undefined; name: string } | null => {
  if (field.column === null) return null
  const find = columnFinder(columns)
  if (field.column !== undefined) return { column: find(field.column), name: field.column }
  const name = labelOf(field, languages).slice(0, 200)
  if (isFirstAddress(field, fields, find)) return { column: find(emailKeyColumn), name }
  return { column: find(field.name) ?? find(name), name }
}

/** Columns that the list does not have yet and fields mean; `index` is the field's. */
export const missingColumns = (
  fields: readonly GivenField[],
  languages: readonly string[],
  columns: readonly FilterColumn[],
): { index: number; name: string; type: FieldType }[] => {
  const taken = new Set<string>()
  return fields.flatMap((field, index) => {
    const meant = columnFor(field, { fields, languages, columns })
    if (meant === null || meant.column !== undefined || taken.has(meant.name.toLowerCase())) return []
    taken.add(meant.name.toLowerCase())
    return [{ index, name: meant.name, type: columnTypeOf(field.type) }]
  })
}

/** The field that says who the person is, R3. */
export const addressFieldOf = ({ fields }: Pick<FormDefinition, 'fields'>): FormField | undefined =>
  fields.find(({ type, column }) => type === 'email' && column === emailKeyColumn)

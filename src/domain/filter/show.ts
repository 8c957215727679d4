import type { FieldType } from '../crm.ts'
import { labelsOf, nameOf } from '../record.ts'
import { fitsDouble } from '../values.ts'
import { columnIndex, type Condition, type Filter, type FilterColumn, type PropertyCondition } from './filter.ts'
import { operatorsOf } from './operators.ts'
import { dayReaders } from './values.ts'

/** Why a filter that was read once fits its list no more. `column` is the last known name. */
export type FilterProblem = { path: string; message: string; column: string }

type Shown = Record<string, unknown>

/** Values as somebody would give them. */
const showValues = ({ type, operator, values }: Condition | PropertyCondition): Shown => {
  const isNumber = type === 'number' || dayReaders[operator] !== undefined
  const shown = values.map((value) => (isNumber && fitsDouble(String(value)) ? Number(value) : value))
  if (operator === 'between' || operator === 'in' || operator === 'notIn') return { values: shown }
  return shown.length === 0 ? {} : { value: shown[0] }
}

/** Types with the same operators keep their values in the same form. */
const isSameKind = (a: FieldType, b: FieldType): boolean => operatorsOf[a] === operatorsOf[b]

/** Columns as a filter shows them, by key: the name leads back to the column when it is read again. */
export type NamedColumns = ReadonlyMap<string, { name: string; type: FieldType }>

export const namedColumns = (columns: readonly FilterColumn[]): NamedColumns => {
  const labels = labelsOf(columns)
  const find = columnIndex(columns)
  return new Map(
    columns.map(({ key, type }) => {
      const label = nameOf(labels, key)
      return [key, { type, name: find(label)?.key === key ? label : key }]
    }),
  )
}

/**
 * A filter as JSON that names columns as they are called now, ready to be read again, and what is wrong with it. `lost` holds the last known
 * names of columns that were removed, by key.
 */
export const showFilter = (
  filter: Filter,
  columns: NamedColumns,
  lost: ReadonlyMap<string, string>,
  root = 'filter',
): { filter: Shown; problems: FilterProblem[] } => {
  const problems: FilterProblem[] = []

  const nameColumn = ({ key, type }: Condition, path: string): string => {
    const column = columns.get(key)
    if (column === undefined) {
      const name = lost.get(key) ?? key
      problems.push({
        path: `${path}.column`,
        message: `The column "${name}" was removed from the list.`,
        column: name,
      })
      return name
    }
    const { name } = column
    if (!isSameKind(type, column.type)) {
      const message = `The column "${name}" was of type ${type} and is of type ${column.type} now.`
      problems.push({ path: `${path}.column`, message, column: name })
    }
    return name
  }

  const show = (each: Filter, path: string): Shown => {
    if ('and' in each) return { and: each.and.map((part, index) => show(part, `${path}.and[${index}]`)) }
    if ('or' in each) return { or: each.or.map((part, index) => show(part, `${path}.or[${index}]`)) }
    if ('not' in each) return { not: show(each.not, `${path}.not`) }
    const { operator } = each
    if ('property' in each) return { property: each.property, operator, ...showValues(each) }
    return { column: nameColumn(each, path), operator, ...showValues(each) }
  }

  return { filter: show(filter, root), problems }
}

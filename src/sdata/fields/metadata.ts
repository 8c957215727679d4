import type { CallOptions } from '../../domain/crm.ts'
import { isFairleadError } from '../../domain/errors.ts'
import { readDataType, type Typed } from './datatype.ts'
import { member, type Row } from '../paging/feed.ts'
import { askFeed, type Session } from '../session.ts'

/** One property as some source describes it, before it becomes a field. */
export type Described = Typed & { name: string; label: string; readOnly: boolean; required: boolean }

const text = (row: Row, ...names: string[]): string => {
  for (const name of names) {
    const value = member(row, name)
    if ((typeof value === 'string' && value.trim() !== '') || typeof value === 'number') return String(value).trim()
  }
  return ''
}

const flag = (row: Row, ...names: string[]): boolean =>
  names.some((name) => /^(true|t|1|y|yes)$/i.test(String(member(row, name) ?? '')))

/** `CDiverseOwnership` → `Diverse Ownership`, for sources without labels. */
export const spellOut = (name: string): string =>
  name
    .replace(/^C(?=[A-Z][a-z])/, '')
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/([a-zA-Z])(\d)/g, '$1 $2')

const describe = (row: Row): Described | null => {
  const name = text(row, 'propertyName', 'name', 'columnName', '$descriptor')
  const included = ['isIncluded', 'include', 'included', 'isIncludedInFeed'].map((key) => member(row, key))
  if (name === '' || included.some((value) => value === false || value === 'false')) return null
  const typeId = text(row, 'propertyDataTypeId', 'dataTypeId', 'dataType', 'dataTypeName', 'type')
  const typed = readDataType(row, typeId, member(row, 'dataType'), member(row, 'dataTypeData'))
  const nullable = member(row, 'nullable') ?? member(row, 'isNullable')
  const readOnly =
    flag(row, 'isReadOnly', 'readOnly', 'isKey', 'isCalculated') || /calculated/i.test(text(row, 'dataTypeName'))
  return {
    ...typed,
    name: name.toLowerCase() === 'id' ? 'Id' : name,
    label: text(row, 'displayName', 'label', 'propertyLabel') || spellOut(name),
    readOnly,
    required: !readOnly && (flag(row, 'isRequired', 'required', 'isMandatory') || nullable === false),
  }
}

/** What may be missing on 7.5.4 or behind a proxy; transient trouble is thrown on. */
export const isRefusal = (error: unknown): boolean =>
  isFairleadError(error) &&
  (error.kind === 'record' ||
    error.code === 'entityDisabled' ||
    error.code === 'crmFailed' ||
    error.code === 'crmAnswer')

const pageSize = 500
const maxProperties = 50_000

const readPages = async (
  session: Session,
  path: string,
  include: string | undefined,
  options: CallOptions,
): Promise<Row[]> => {
  const rows: Row[] = []
  const seen = new Set<string>()
  while (rows.length < maxProperties) {
    const query = { count: pageSize, startIndex: rows.length + 1, ...(include ? { include } : {}) }
    const feed = await askFeed(session, path, query, options)
    const fresh = feed.rows.filter((row) => !seen.has(JSON.stringify(row)))
    for (const row of fresh) seen.add(JSON.stringify(row))
    rows.push(...feed.rows)
    // this contract answers 10 rows unless it honours `count`: only an empty or repeated page is the end
    if (fresh.length === 0) break
  }
  return rows
}

/** The properties of an entity from the metadata contract (9.2), paged to their end; null where the server does not offer it (7.5.4). */
export const readMetadata = async (
  session: Session,
  entityName: string,
  options: CallOptions,
): Promise<Described[] | null> => {
  const path = `slx/metadata/-/entities('${entityName}')/properties`
  for (const include of ['DataTypeData', undefined]) {
    try {
      const rows = await readPages(session, path, include, options)
      const described = rows.map(describe).filter((property) => property !== null)
      if (described.length > 0) return described
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }
  return null
}

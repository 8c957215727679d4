import { FairleadError, misplaced, type ErrorCode } from '../errors.ts'
import { columnsByName, ownNames, readOnlyReason, type RecordColumn } from '../record.ts'
import type { RunWarning } from '../run.ts'
import { isText } from '../typed.ts'
import { externalIdTarget, idTarget, reportNames, type UploadColumn, type UploadOptions } from '../upload.ts'

/** What a download has beside the columns of the list. */
const downloadNames = [idTarget, externalIdTarget, 'crmEntity', 'crmId', 'crmState'] as const
/** Spellings, without blanks and strokes, that other programs give to what everybody has. */
const spellings: Readonly<Record<string, string>> = {
  email: ownNames.email,
  mail: ownNames.email,
  emailaddress: ownNames.email,
  mailaddress: ownNames.email,
  emailadresse: ownNames.email,
  mailadresse: ownNames.email,
  firstname: ownNames.firstName,
  givenname: ownNames.firstName,
  forename: ownNames.firstName,
  vorname: ownNames.firstName,
  lastname: ownNames.lastName,
  surname: ownNames.lastName,
  familyname: ownNames.lastName,
  nachname: ownNames.lastName,
  familienname: ownNames.lastName,
  externalid: externalIdTarget,
}

type Found = RecordColumn | typeof externalIdTarget | 'ignored' | undefined

/**
 * Leads a name to a column: by the names of the list first, then by those of our own files, then by common spellings. Keys are names only where
 * `byKeys` says so: a foreign file with a header such as `c2` means something else.
 */
const createNaming = (columns: readonly RecordColumn[], byKeys: boolean): ((header: string) => Found) => {
  const byKey = new Map(columns.map((column) => [column.key, column]))
  const byName = columnsByName(columns, byKeys)
  const ignored = new Set<string>([...downloadNames, ...downloadNames.map((name) => `_${name}`), ...reportNames])
  return (header) => {
    const name = header.trim()
    const named = byName.get(name.toLowerCase())
    if (named !== undefined) return named
    if (name === `_${externalIdTarget}`) return externalIdTarget
    const target = spellings[name.toLowerCase().replaceAll(/[\s_-]+/g, '')]
    if (target === externalIdTarget) return name.startsWith('_') ? 'ignored' : externalIdTarget
    if (target !== undefined) return byKey.get(target)
    return ignored.has(name) ? 'ignored' : undefined
  }
}

const keyLike = /^c\d+$/i

/** The headers of a download, by column key and by what stands beside the columns: each leads back to its column when the file is uploaded. */
export const headersOf = (
  columns: readonly RecordColumn[],
): { columns: { key: string; header: string }[]; others: string[] } => {
  const resolve = createNaming(columns, false)
  const taken = new Set<string>()
  const named = columns.map((column) => {
    const names = column.crmField === null ? [column.name] : [column.name, column.crmField]
    const leadsBack = (name: string): boolean =>
      resolve(name) === column && !keyLike.test(name.trim()) && !taken.has(name.trim().toLowerCase())
    const header = names.find(leadsBack) ?? column.key
    taken.add(header.trim().toLowerCase())
    return { key: column.key, header }
  })
  return { columns: named, others: downloadNames.map((name) => (taken.has(name.toLowerCase()) ? `_${name}` : name)) }
}

/** Leads the header of a file to a column. A key is one only where a download of the list has to write it, since no name leads to the column. */
const createResolver = (columns: readonly RecordColumn[]): ((header: string) => Found) => {
  const resolve = createNaming(columns, false)
  const written = new Map(headersOf(columns).columns.map(({ key, header }) => [header, key]))
  const keys = new Map(columns.filter(({ key }) => written.get(key) === key).map((column) => [column.key, column]))
  return (header) => keys.get(header.trim().toLowerCase()) ?? resolve(header)
}

export type HeaderOptions = {
  /** what the caller says himself: header → name of a column, `externalId`, or null for nowhere */
  given: Readonly<Record<string, string | null>>
  unknown: 'refuse' | 'create' | 'ignore'
  /** the column of a download that holds the ids of its records is read */
  byId?: boolean
}
/** `to` of a column that is to be made is `new` and its place in the header */
export type HeaderMap = { columns: UploadColumn[]; made: { index: number; name: string }[]; warnings: RunWarning[] }

const mostColumns = 1000
const longestName = 200
const addressLike = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
const valueLike = /^[+-]?\d+([.,]\d+)*$|^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}$/

type Fail = (code: ErrorCode, detail: string, errors?: { path: string; message: string }[]) => never

const failAt =
  (line: number): Fail =>
  (code, detail, errors) => {
    throw new FairleadError(code, { detail: `Line ${line}: ${detail}`, ...(errors && { errors }) })
  }

const mostQuoted = 20
const quote = (names: readonly string[]): string => {
  const quoted = names.slice(0, mostQuoted).map((name) => `"${name.slice(0, longestName)}"`)
  return `${quoted.join(', ')}${names.length > mostQuoted ? ` and ${names.length - mostQuoted} more` : ''}`
}

/** What the caller says, by header in lower case. */
const readGiven = (header: readonly string[], resolve: (name: string) => Found, given: HeaderOptions['given']) => {
  const names = new Set(header.map((name) => name.toLowerCase()))
  const read = new Map<string, string | null>()
  for (const [name, to] of Object.entries(given)) {
    const lower = name.trim().toLowerCase()
    const path = `columns.${name}`
    const refuse = (code: ErrorCode, message: string) => {
      throw misplaced(path, message, code)
    }
    if (!names.has(lower)) refuse('invalidInput', 'The file has no column of this name.')
    const found = to === null ? null : resolve(to)
    if (found === undefined || found === 'ignored') refuse('unknownColumn', 'The list has no such column.')
    else if (found !== null && found !== externalIdTarget && readOnlyReason(found) !== undefined)
      refuse('fieldReadOnly', `This column ${readOnlyReason(found)}`)
    else read.set(lower, found === null || found === externalIdTarget ? found : found.key)
  }
  return read
}

/** Names of a header without the blank ones at its end, trimmed. */
const namesOf = (cells: readonly string[]): string[] => {
  const names = cells.map((cell) => cell.trim())
  while (names.at(-1) === '') names.pop()
  return names
}

/**
 * Leads each column of a file to where its cells go. `line` is that of the header. Errors: headerMissing when it looks like a row of data,
 * headerInvalid, unknownColumn naming all that the list has not, fieldReadOnly, invalidInput.
 */
export const mapHeader = (
  cells: readonly string[],
  line: number,
  columns: readonly RecordColumn[],
  { given, unknown, byId }: HeaderOptions,
): HeaderMap => {
  const fail = failAt(line)
  const names = namesOf(cells)
  if (names.length > mostColumns)
    fail('headerInvalid', `there are ${names.length} columns; ${mostColumns} are the most.`)
  const unreadable = names.findIndex((name) => !isText(name))
  if (unreadable !== -1)
    fail('headerInvalid', `the name of column ${unreadable + 1} holds characters that are not text.`)
  const resolve = createResolver(columns)
  const said = readGiven(names, createNaming(columns, true), given)
  const idHeader = byId ? headersOf(columns).others[0] : undefined
  const found = names.map((name) => {
    if (said.has(name.toLowerCase())) return undefined
    return name.toLowerCase() === idHeader ? idTarget : resolve(name)
  })
  const isSaid = (index: number): boolean => said.has(names[index]!.toLowerCase())
  const strange = names.flatMap((name, index) =>
    name !== '' && !isSaid(index) && !found[index] ? [{ index, name }] : [],
  )
  const mapped = names.length - strange.length - names.filter((name) => name === '').length
  const looksLikeData =
    strange.some(({ name }) => addressLike.test(name)) ||
    (mapped === 0 && (unknown !== 'create' || strange.some(({ name }) => valueLike.test(name))))
  if (looksLikeData) fail('headerMissing', 'the first row names no columns; it looks like a row of data.')
  const twice = names.find(
    (name, index) => name !== '' && names.findIndex((each) => each.toLowerCase() === name.toLowerCase()) < index,
  )
  if (twice !== undefined) fail('headerInvalid', `the name ${quote([twice])} stands there twice.`)
  if (strange.length > 0 && unknown === 'refuse') {
    const message = 'The list has no such column.'
    const errors = strange.map(({ name }) => ({ path: name.slice(0, longestName), message }))
    fail('unknownColumn', `the list has no column ${quote(strange.map(({ name }) => name))}.`, errors)
  }
  const tooLong = unknown === 'create' ? strange.find(({ name }) => name.length > longestName) : undefined
  if (tooLong !== undefined) fail('headerInvalid', `a name has more than ${longestName} characters.`)

  const warnings: RunWarning[] = []
  const warn = (field: string, message: string) =>
    void warnings.push({ code: 'columnIgnored', message, count: 1, field })
  const by = new Map<string, string>()
  const mappedColumns = names.map((header, index): UploadColumn => {
    const target = found[index]
    const nowhere = { header, to: null }
    const to = (name: string): UploadColumn => {
      const other = by.get(name)
      if (other !== undefined) fail('headerInvalid', `${quote([other, header])} mean one and the same column.`)
      by.set(name, header)
      return { header, to: name }
    }
    if (isSaid(index)) {
      const name = said.get(header.toLowerCase())
      return name === null || name === undefined ? nowhere : to(name)
    }
    if (header === '') {
      warn(`column ${index + 1}`, `Column ${index + 1} of the file has no name: it was left out.`)
      return nowhere
    }
    if (target === 'ignored') {
      if (!header.startsWith('_')) warn(header, `${header} is Fairlead’s own: it was left out.`)
      return nowhere
    }
    if (target === undefined) {
      if (unknown === 'create') return { header, to: `new${index}` }
      warn(header, `The list has no column ${header}: it was left out.`)
      return nowhere
    }
    if (target === externalIdTarget || target === idTarget) return to(target)
    const reason = readOnlyReason(target)
    if (reason === undefined) return to(target.key)
    warn(header, `${header} ${reason.replace(/[.:].*$/, '')}: it was left out.`)
    return nowhere
  })
  if (mappedColumns.every(({ to }) => to === null)) fail('headerMissing', 'no column of the file goes anywhere.')
  return { columns: mappedColumns, made: unknown === 'create' ? strange : [], warnings }
}

/** Errors: headerInvalid when rows could never be matched as asked. */
export const refuseUnmatchable = (
  columns: readonly UploadColumn[],
  match: UploadOptions['match'],
  line: number,
): void => {
  const needed =
    match === 'email'
      ? ownNames.email
      : match === 'externalId'
        ? externalIdTarget
        : match === 'id'
          ? idTarget
          : undefined
  if (needed === undefined || columns.some(({ to }) => to === needed)) return
  failAt(line)('headerInvalid', `rows are to be matched by ${match}, and no column of the file has it.`)
}

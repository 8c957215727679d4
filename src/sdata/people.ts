import type { CallOptions, CrmEntity, CrmField, CrmPage, CrmPerson, CrmWarning, KeyRange } from '../domain/crm.ts'
import { FairleadError } from '../domain/errors.ts'
import { insist } from './paging/control.ts'
import { keyOf, type Row } from './paging/feed.ts'
import { isolate, type Isolated } from './paging/isolate.ts'
import { readKeyPage } from './paging/page.ts'
import { readTexts } from './values/picklist.ts'
import { readPermissions } from './fields/permission.ts'
import { createPlan } from './values/plan.ts'
import { isSecretField } from '../domain/field.ts'
import { addWarning, maySplit, withKnownFields, type Session } from './session.ts'
import { sizeOf } from './paging/size.ts'
import { readByIds, type ById } from './paging/split.ts'

const legalName = /^(?!__)[\p{L}_][\p{L}\p{N}_]*(\/[\p{L}_][\p{L}\p{N}_]*)*$/u

const guard = (fields: CrmField[]): void => {
  for (const { name } of fields) {
    if (isSecretField(name)) throw new FairleadError('secretField')
    if (!legalName.test(name)) throw new FairleadError('unknownField')
  }
}

/** Leaves out what the CRM user may not see (R8). */
const visible = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  options: CallOptions,
): Promise<CrmField[]> => {
  const permissions = await readPermissions(session, entity, options)
  return permissions.size === 0
    ? fields
    : fields.filter(({ name }) => permissions.get(name.toLowerCase()) !== 'NoAccess')
}

const toPeople = async (
  session: Session,
  fields: CrmField[],
  missing: string[],
  rows: Row[],
  warnings: CrmWarning[],
  options: CallOptions,
): Promise<CrmPerson[]> => {
  const texts = await readTexts(session, fields, options)
  const readable = fields.filter(({ name }) => !texts.unknown.has(name))
  const plan = createPlan(readable, texts.byField)
  const people = rows.map((row) => ({ id: keyOf(row), values: plan.read(row) }))
  if (rows.length > 0) {
    for (const field of missing) addWarning(warnings, { code: 'fieldMissing', field, count: rows.length })
    // passing or the server's way to say null: no proof that the field is gone
    for (const field of [...texts.unknown, ...plan.absent()])
      addWarning(warnings, { code: 'fieldAbsent', field, count: rows.length })
  }
  if (session.client.oneSession()) addWarning(warnings, { code: 'oneSession', count: 1 })
  for (const [field, count] of plan.unreadable()) addWarning(warnings, { code: 'valueUnreadable', field, count })
  return people
}

const byIds = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  ids: string[],
  options: CallOptions,
): Promise<ById & { known: CrmField[] }> => {
  const seen = await visible(session, entity, fields, options)
  for (;;) {
    const result = await withKnownFields(session, entity, seen, async (known) => {
      const found = await readByIds(session, entity, known, ids, options)
      return found && { ...found, known }
    })
    if (result) return result
  }
}

const without = (fields: CrmField[], known: CrmField[]): string[] =>
  fields.filter((field) => !known.includes(field)).map(({ name }) => name)

/** `people` of the port: a page by keys; a page that keeps failing while the CRM answers otherwise is read person by person where needed (R22). */
export const readPeople = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  range: KeyRange,
  options: CallOptions,
): Promise<CrmPage<CrmPerson>> => {
  guard(fields)
  await session.ready(options)
  const seen = await visible(session, entity, fields, options)
  const read = (): Promise<CrmPage<CrmPerson>> =>
    withKnownFields(session, entity, seen, async (known) => {
      const select = known.map(({ name }) => name)
      const page = await readKeyPage(session, { entity, select, range, kind: 'people', options })
      const rows = await toPeople(session, known, without(fields, known), page.rows, page.warnings, options)
      if (rows.length > 0) session.memory.proven.add(`${entity} ${select.join()}`)
      return { rows, next: page.next, unreadable: [], warnings: page.warnings }
    })
  try {
    return await read()
  } catch (error) {
    if (!maySplit(error)) throw error
    const page = await insist(session, entity, error, options, read)
    if (page) return page
    const keys = await readKeysAround(session, entity, range, error, options)
    return readSplit(session, entity, fields, keys, options)
  }
}

/** The keys of a page that failed; where even they cannot be read, those before the culprit, which is then named. */
const readKeysAround = async (
  session: Session,
  entity: CrmEntity,
  range: KeyRange,
  cause: unknown,
  options: CallOptions,
): Promise<Isolated> => {
  const request = { entity, select: [], range, kind: 'people' as const, options }
  const count = sizeOf(session.memory, entity, 'people').ask
  try {
    return { page: await readKeyPage(session, { ...request, count }), culprit: null }
  } catch (error) {
    if (!maySplit(error)) throw error
    return isolate(session, request, cause)
  }
}

const readSplit = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  { page: { keys, next, warnings }, culprit }: Isolated,
  options: CallOptions,
): Promise<CrmPage<CrmPerson>> => {
  const found = await byIds(session, entity, fields, keys, options)
  const rows = keys.map((key) => found.rows.get(key)).filter((row) => row !== undefined)
  const people = await toPeople(session, found.known, without(fields, found.known), rows, warnings, options)
  return { rows: people, next, unreadable: [...found.unreadable, ...(culprit ? [culprit] : [])], warnings }
}

/** `peopleById` of the port. */
export const readPeopleById = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  ids: string[],
  options: CallOptions,
): Promise<Omit<CrmPage<CrmPerson>, 'next'>> => {
  guard(fields)
  if (ids.length === 0) return { rows: [], unreadable: [], warnings: [] }
  await session.ready(options)
  const warnings: CrmWarning[] = []
  const found = await byIds(session, entity, fields, ids, options)
  const rows = await toPeople(
    session,
    found.known,
    without(fields, found.known),
    [...found.rows.values()],
    warnings,
    options,
  )
  return { rows, unreadable: found.unreadable, warnings }
}

/** `keys` of the port. */
export const readKeys = async (
  session: Session,
  entity: CrmEntity,
  range: KeyRange,
  options: CallOptions,
): Promise<CrmPage<string>> => {
  await session.ready(options)
  const request = { entity, select: [], range, kind: 'keys' as const, options }
  const read = async (): Promise<CrmPage<string>> => {
    const page = await readKeyPage(session, request)
    if (session.client.oneSession()) addWarning(page.warnings, { code: 'oneSession', count: 1 })
    return { rows: page.keys, next: page.next, unreadable: [], warnings: page.warnings }
  }
  try {
    return await read()
  } catch (error) {
    if (!maySplit(error)) throw error
    const whole = await insist(session, entity, error, options, read)
    if (whole) return whole
    const { page, culprit } = await isolate(session, request, error)
    return { rows: page.keys, next: page.next, unreadable: culprit ? [culprit] : [], warnings: page.warnings }
  }
}

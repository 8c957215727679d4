import type {
  CallOptions,
  CrmEntity,
  CrmField,
  CrmFound,
  CrmPage,
  CrmPerson,
  CrmWarning,
  KeyRange,
  ReadOptions,
} from '../domain/crm.ts'
import { changedFilter } from './paging/changed.ts'
import { insist } from './paging/control.ts'
import type { Row } from './paging/feed.ts'
import { isolate, type Isolated } from './paging/isolate.ts'
import { readKeyPage, type KeyPage, type Scope } from './paging/page.ts'
import { readByIds, type ById } from './paging/split.ts'
import { sizeOf } from './paging/size.ts'
import { guardNames, namesOf, toFound, toPeople, visible } from './person.ts'
import { addWarning, maySplit, withKnownFields, type Session } from './session.ts'

/** People as the CRM writes them. `known`: the properties that they were asked for with. */
export type Rows = Omit<CrmPage<Row>, 'rows'> & { rows: Row[]; known: CrmField[] }

const byIds = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  ids: string[],
  options: CallOptions,
): Promise<ById & { known: CrmField[] }> => {
  for (;;) {
    const result = await withKnownFields(session, entity, fields, async (known) => {
      const found = await readByIds(session, entity, known, ids, options)
      return found && { ...found, known }
    })
    if (result) return result
  }
}

/** The keys of a page that failed; where even they cannot be read, those before the culprit, which is then named. */
const readKeysAround = async (
  session: Session,
  scope: Scope,
  cause: unknown,
  options: CallOptions,
): Promise<Isolated> => {
  const request = { ...scope, select: [], kind: 'people' as const, options }
  const count = sizeOf(session.memory, scope.entity, 'people').ask
  try {
    return { page: await readKeyPage(session, { ...request, count }), culprit: null }
  } catch (error) {
    if (!maySplit(error)) throw error
    return isolate(session, request, cause)
  }
}

/** A page by keys; a page that keeps failing while the CRM answers otherwise is read person by person where needed (R22). */
export const readRows = async (
  session: Session,
  scope: Scope,
  fields: CrmField[],
  options: CallOptions,
): Promise<Rows> => {
  const { entity } = scope
  const read = (): Promise<KeyPage & { known: CrmField[] }> =>
    withKnownFields(session, entity, fields, async (known) => {
      const select = namesOf(known)
      const page = await readKeyPage(session, { ...scope, select, kind: 'people', options })
      if (page.rows.length > 0) session.memory.proven.add(`${entity} ${select.join()}`)
      return { ...page, known }
    })
  try {
    return { ...(await read()), unreadable: [] }
  } catch (error) {
    if (!maySplit(error)) throw error
    const whole = await insist(session, scope, error, options, read)
    if (whole) return { ...whole, unreadable: [] }
    const { page, culprit } = await readKeysAround(session, scope, error, options)
    const found = await byIds(session, entity, fields, page.keys, options)
    const rows = page.keys.map((key) => found.rows.get(key)).filter((row) => row !== undefined)
    const unreadable = [...found.unreadable, ...(culprit ? [culprit] : [])]
    return { rows, known: found.known, next: page.next, unreadable, warnings: page.warnings }
  }
}

/** `people` of the port. */
export const readPeople = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  range: KeyRange,
  { changed, ...options }: ReadOptions,
): Promise<CrmPage<CrmPerson>> => {
  guardNames(namesOf(fields))
  await session.ready(options)
  const filter = changed === undefined ? undefined : await changedFilter(session, entity, changed, options)
  if (filter === null)
    return { rows: [], next: null, unreadable: [], warnings: [{ code: 'addressChangesUnknown', count: 1 }] }
  const seen = await visible(session, entity, fields, options)
  const { rows, known, ...page } = await readRows(session, { entity, range, filter }, seen, options)
  return { ...page, rows: await toPeople(session, { fields, known }, rows, page.warnings, options) }
}

/** `peopleById` of the port. */
export const readPeopleById = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  ids: string[],
  options: CallOptions,
): Promise<Omit<CrmPage<CrmFound>, 'next'>> => {
  guardNames(namesOf(fields))
  if (ids.length === 0) return { rows: [], unreadable: [], warnings: [] }
  await session.ready(options)
  const warnings: CrmWarning[] = []
  const seen = await visible(session, entity, fields, options)
  const { known, unreadable, ...found } = await byIds(session, entity, seen, ids, options)
  const rows = [...found.rows.values()]
  const people = await toPeople(session, { fields, known }, rows, warnings, options)
  return { rows: toFound(people, rows), unreadable, warnings }
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
    const whole = await insist(session, { entity }, error, options, read)
    if (whole) return whole
    const { page, culprit } = await isolate(session, request, error)
    return { rows: page.keys, next: page.next, unreadable: culprit ? [culprit] : [], warnings: page.warnings }
  }
}

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
import { isolate, type Isolated } from './paging/isolate.ts'
import { LeftOut, readKeyPage, type KeyPage, type Scope } from './paging/page.ts'
import { readByIds, type ById } from './paging/split.ts'
import { sizeOf } from './paging/size.ts'
import { guardNames, namesOf, toFound, toPeople, visible } from './person.ts'
import { addWarning, maySplit, withKnownFields, type Session } from './session.ts'

/** People as the CRM writes them. `known`: the properties that they were asked for with. `total`: as the page has it. */
export type Rows = Pick<KeyPage, 'rows' | 'next' | 'total' | 'warnings'> & {
  unreadable: ById['unreadable']
  known: CrmField[]
}

/** The same by id; whoever the CRM does not have, or leaves out, is not among them. */
export const readRowsById = async (
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

/** Who is there by key, and comes neither with the properties nor with a failure of its own. */
export const leftOut = (keys: string[], { rows, unreadable }: ById): ById['unreadable'] => {
  const named = new Set(unreadable.map(({ id }) => id))
  return keys.filter((id) => !rows.has(id) && !named.has(id)).map((id) => ({ id, crm: {} }))
}

/**
 * A page by keys; a page that keeps failing while the CRM answers otherwise, or that is empty because all who follow are left out of it, is read person
 * by person where needed, and whoever does not come is named (R22).
 */
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
    if (!(error instanceof LeftOut)) {
      if (!maySplit(error)) throw error
      const whole = await insist(session, scope, error, options, read)
      if (whole) return { ...whole, unreadable: [] }
    }
    const { page, culprit } = await readKeysAround(session, scope, error, options)
    const found = await readRowsById(session, entity, fields, page.keys, options)
    const rows = page.keys.map((key) => found.rows.get(key)).filter((row) => row !== undefined)
    const unreadable = [...found.unreadable, ...leftOut(page.keys, found), ...(culprit ? [culprit] : [])]
    return { rows, known: found.known, next: page.next, total: page.total, unreadable, warnings: page.warnings }
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
  const page = await readRows(session, { entity, range, filter }, seen, options)
  const { next, unreadable, warnings } = page
  return {
    rows: await toPeople(session, { fields, known: page.known }, page.rows, warnings, options),
    next,
    unreadable,
    warnings,
  }
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
  const { known, unreadable, ...found } = await readRowsById(session, entity, seen, ids, options)
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

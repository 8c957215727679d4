import type { CallOptions, CrmEntity, CrmNoteFound } from '../../domain/crm.ts'
import { and, instantLiteral, isOneOf, literal, type Query } from '../http/query.ts'
import { QueryTooLong } from '../http/request.ts'
import { keyOf, member, type Row } from '../paging/feed.ts'
import { halves } from '../paging/halves.ts'
import { askFeed, type Session } from '../session.ts'
import { readInstant } from '../values/time.ts'
import { trimId } from '../values/value.ts'
import { historyPath } from './create.ts'

const maxGroup = 100
const pageSize = 200
const longestKey = 'Q'.repeat(12)
const idOf = { lead: 'LeadId', contact: 'ContactId' } as const

type Range = { from: string; to: string }

const queryOf = (entity: CrmEntity, ids: string[], { from, to }: Range, after: string | null): Query => ({
  select: ['Id', idOf[entity], 'StartDate', 'Description', 'LongNotes'],
  where: and(
    isOneOf(idOf[entity], ids),
    `Type eq 'atEMail'`,
    `StartDate ge ${instantLiteral(Date.parse(from))}`,
    // literals are to the second
    `StartDate le ${instantLiteral(Date.parse(to) + 999)}`,
    after === null ? null : `Id gt ${literal(after)}`,
  ),
  orderBy: 'Id',
  count: pageSize,
})

const text = (row: Row, name: string): string => {
  const value = member(row, name)
  return typeof value === 'string' ? value : ''
}

const toNote = (row: Row, entity: CrmEntity): CrmNoteFound => ({
  id: keyOf(row),
  crmId: trimId(member(row, idOf[entity])) ?? '',
  startAt: readInstant(member(row, 'StartDate')) ?? null,
  description: text(row, 'Description'),
  text: text(row, 'LongNotes'),
})

/** A group to its end: the end is an empty page (6.2, 6.4). */
const readGroup = async (
  session: Session,
  entity: CrmEntity,
  ids: string[],
  range: Range,
  options: CallOptions,
): Promise<CrmNoteFound[]> => {
  const found = new Map<string, CrmNoteFound>()
  for (let after: string | null = null; ;) {
    const { rows } = await askFeed(session, historyPath, queryOf(entity, ids, range, after), options)
    const fresh = rows.map((row) => toNote(row, entity)).filter(({ id }) => !found.has(id))
    for (const note of fresh) found.set(note.id, note)
    const last = fresh.at(-1)
    if (last === undefined) return [...found.values()]
    after = last.id
  }
}

/** `notesOf` of the port. */
export const readNotes = async (
  session: Session,
  entity: CrmEntity,
  crmIds: string[],
  range: Range,
  options: CallOptions,
): Promise<CrmNoteFound[]> => {
  const ids = [...new Set(crmIds)]
  if (ids.length === 0) return []
  await session.ready(options)
  const groups: string[][] = []
  for (let at = 0; at < ids.length; at += maxGroup) groups.push(ids.slice(at, at + maxGroup))
  const found: CrmNoteFound[] = []
  for (let group = groups.shift(); group; group = groups.shift()) {
    const isFit = session.client.fits(historyPath, queryOf(entity, group, range, longestKey))
    try {
      if (!isFit) throw new QueryTooLong()
      found.push(...(await readGroup(session, entity, group, range, options)))
    } catch (error) {
      if (!(error instanceof QueryTooLong) || group.length < 2) throw error
      groups.unshift(...halves(group))
    }
  }
  return found
}

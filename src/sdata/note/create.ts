import type { CallOptions, CrmNote } from '../../domain/crm.ts'
import { member, isRow } from '../paging/feed.ts'
import type { Session } from '../session.ts'
import { cleanText } from '../values/text.ts'
import { trimId } from '../values/value.ts'

export const historyPath = 'slx/dynamic/-/history'

/** Lengths of History (8.7), as the database counts them; half a surrogate pair is left out. */
const cut = (text: string, length: number): string =>
  cleanText(text)
    .slice(0, length)
    .replace(/[\uD800-\uDBFF]$/, '')

const orAbsent = (text: string | null, length: number): string | undefined =>
  text === null || text === '' ? undefined : cut(text, length)

/** Never both ids; names that are not known are left to the CRM's rules (11.1, 11.2). */
const personOf = ({ entity, crmId, name, company, accountId }: CrmNote): Record<string, string | undefined> =>
  entity === 'lead'
    ? { LeadId: crmId, LeadName: orAbsent(name, 64), AccountName: orAbsent(company, 128) }
    : {
        ContactId: crmId,
        ContactName: orAbsent(name, 64),
        AccountId: accountId ?? undefined,
        AccountName: orAbsent(company, 128),
      }

const bodyOf = (note: CrmNote): string => {
  const at = `/Date(${Date.parse(note.sentAt)})/`
  return JSON.stringify({
    Type: 'atEMail',
    ...personOf(note),
    ...(note.userId === null ? {} : { UserId: note.userId }),
    Description: cut(note.subject, 64),
    // `Notes` would overrule it on 8.x (11.1)
    LongNotes: cleanText(note.text),
    StartDate: at,
    OriginalDate: at,
    CompletedDate: at,
    Duration: 0,
    Timeless: false,
  })
}

const idIn = (json: unknown): string | null => {
  if (!isRow(json)) return null
  const list = json['$resources']
  const row: unknown = Array.isArray(list) ? list[0] : json
  return isRow(row) ? trimId(member(row, '$key')) : null
}

/** `createNote` of the port: one POST, never repeated by itself. An answer without a key is success: the note is there. */
export const createNote = async (
  session: Session,
  note: CrmNote,
  { sending, ...options }: CallOptions & { sending?: () => Promise<void> },
): Promise<{ id: string | null }> => {
  await session.ready(options)
  const send = { method: 'POST' as const, json: bodyOf(note), ...(sending && { sending }) }
  const { json } = await session.client.ask({ path: historyPath, send }, options)
  return { id: idIn(json) }
}

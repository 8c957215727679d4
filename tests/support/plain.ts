import { eq } from 'drizzle-orm'
import { operator } from '../../src/db/audit.ts'
import * as lists from '../../src/db/list.ts'
import { columns, standardFields } from '../../src/db/schema.ts'
import * as segments from '../../src/db/segment.ts'
import * as settings from '../../src/db/sync/settings.ts'
import { request, type Asked } from '../../src/db/sync/request.ts'
import type { Run } from '../../src/db/run/state.ts'
import { defaultSync, type PushSettings } from '../../src/domain/sync.ts'
import type { Fairlead } from './fairlead.ts'
import { openList, type TestList } from './sync.ts'

/** Columns of a plain list: name → its field on a lead and on a contact; null for a column that is nothing in the CRM. */
type Mapped = Record<string, [lead: string | null, contact: string | null] | null>

/** Gives a column a standard field of its own. */
export const mapColumn = async (
  { db, accountId }: Fairlead,
  list: TestList,
  name: string,
  [leadField, contactField]: [string | null, string | null],
): Promise<void> => {
  const [field] = await db
    .insert(standardFields)
    .values({ accountId, name: `${name} of ${list.listId}`, leadField, contactField, position: 0 })
    .returning({ id: standardFields.id })
  await db
    .update(columns)
    .set({ standardFieldId: field!.id })
    .where(eq(columns.id, (await columnOf(list, name, db)).id))
}

const columnOf = async (list: TestList, name: string, db: Fairlead['db']) => {
  const rows = await db.select().from(columns).where(eq(columns.listId, list.listId))
  return rows.find(({ key }) => key === list.keyOf(name))!
}

/** A plain list with these columns, pushed as said: everything is ticked, unless `push` says otherwise. */
export const plainList = async (
  fairlead: Fairlead,
  name: string,
  mapped: Mapped,
  push: Partial<PushSettings> = {},
): Promise<TestList> => {
  const { db, accountId } = fairlead
  const asked = { name, columns: Object.keys(mapped).map((each) => ({ name: each, type: 'text' as const })) }
  const listId = await lists.insert(db, accountId, asked, operator)
  const list = await openList(fairlead, listId)
  for (const [column, fields] of Object.entries(mapped))
    if (fields !== null) await mapColumn(fairlead, list, column, fields)
  const fields = ['E-mail', 'First name', 'Last name', ...Object.keys(mapped)]
  const all = { enabled: true, addNew: true, updateExisting: true, fields, ...push }
  await list.settings(all, { enabled: false, addNew: false, updateExisting: false })
  return list
}

/** A segment of a list by a filter with the names of its columns, pushed as said. */
export const segmentOf = async (
  { db, accountId }: Fairlead,
  { listId }: TestList,
  filter: unknown,
  push: Partial<PushSettings> = {},
): Promise<string> => {
  const name = `Segment ${JSON.stringify(filter)} ${Object.keys(push).join(' ')}`.slice(0, 100)
  const { id } = await segments.insert(db, accountId, listId, { name, filter }, operator)
  const none = { enabled: false, addNew: false, updateExisting: false, excludedFields: [] }
  const given = { ...defaultSync().push, enabled: true, addNew: true, updateExisting: true, ...push }
  await settings.save(db, accountId, listId, { version: 0, push: given, pull: none, addColumns: [] }, operator, id)
  return id
}

/** Starts a run of a segment, without waiting for it. */
export const startSegment = async (
  { db, accountId, wiring }: Fairlead,
  { listId }: TestList,
  segmentId: string,
  asked: Partial<Asked> = {},
): Promise<string> => {
  const { runId } = await request(db, accountId, listId, { kind: 'sync', trigger: 'api', segmentId, ...asked })
  await wiring.relay()
  return runId
}

export const runSegment = async (
  fairlead: Fairlead,
  list: TestList,
  segmentId: string,
  asked: Partial<Asked> = {},
): Promise<Run> => fairlead.finished(await startSegment(fairlead, list, segmentId, asked))

import { and, eq, inArray } from 'drizzle-orm'
import { activeStates } from '../../domain/run.ts'
import type { RunUpload } from '../../domain/upload.ts'
import { mapHeader, refuseUnmatchable, type HeaderOptions } from '../../domain/upload/header.ts'
import * as columns from '../column.ts'
import { append } from '../column/add.ts'
import * as outbox from '../outbox.ts'
import { lanes, runs, uploads } from '../schema.ts'
import { startMessage } from '../sync/request.ts'

export type Received = Omit<RunUpload, 'columns'> & {
  header: readonly string[]
  /** of the header */
  line: number
  headerOptions: HeaderOptions
  /** records of the file, as far as its lines tell */
  total: number
  /** where the first record begins: domain/upload.ts and csv/read.ts know what it says */
  cursor: string
}

/**
 * Makes the run of a file that was received, and the columns that it asks for, in the transaction of the caller. It begins at once, or after the
 * uploads of the list that came before it. Errors: notFound, and those of the header.
 */
export const request = async (
  tx: outbox.Transaction,
  accountId: string,
  listId: string,
  { header, line, headerOptions, total, cursor, ...received }: Received,
): Promise<{ runId: string; created: boolean }> => {
  // also lets the uploads of a list come one after another
  const list = await columns.lockList(tx, accountId, listId)
  const known = await columns.all(tx, accountId, listId)
  const map = mapHeader(header, line, known, headerOptions)
  refuseUnmatchable(map.columns, received.options.match, line)
  const made = await append(
    tx,
    list,
    known,
    map.made.map(({ name }) => ({ name, type: 'text' })),
  )
  const keys = new Map(map.made.map(({ index }, place) => [`new${index}`, made[place]!.key]))
  const mapped = map.columns.map(({ header, to }) => ({ header, to: (to && keys.get(to)) ?? to }))
  const earlier = await tx
    .select({ id: runs.id })
    .from(runs)
    .where(and(eq(runs.listId, listId), eq(runs.kind, 'upload'), inArray(runs.state, [...activeStates])))
    .limit(1)
  const [run] = await tx
    .insert(runs)
    .values({
      accountId,
      kind: 'upload',
      trigger: 'api',
      listId,
      settings: { upload: { ...received, columns: mapped } },
      phase: 'upload',
      total,
      warnings: map.warnings,
      workflowId: '',
    })
    .returning()
  const message = startMessage(run!)
  await tx.update(runs).set({ workflowId: message.workflowId }).where(eq(runs.id, run!.id))
  await tx.update(uploads).set({ runId: run!.id }).where(eq(uploads.id, received.fileId))
  await tx.insert(lanes).values({ accountId, runId: run!.id, phase: 'upload', lane: 0, kind: 'rows', cursor })
  if (earlier.length === 0) await outbox.insert(tx, message)
  return { runId: run!.id, created: true }
}

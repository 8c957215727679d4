import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { uploadChunks, uploads } from '../schema.ts'

/** Begins to receive a file; answers its id. */
export const begin = async (db: Database, accountId: string, listId: string): Promise<string> => {
  const [made] = await db.insert(uploads).values({ accountId, listId }).returning({ id: uploads.id })
  return made!.id
}

export const addChunk = async (
  db: Database,
  accountId: string,
  uploadId: string,
  chunk: number,
  bytes: Buffer,
): Promise<void> => {
  await db.transaction(async (tx) => {
    await tx.insert(uploadChunks).values({ uploadId, chunk, accountId, bytes })
    await tx
      .update(uploads)
      .set({ touchedAt: sql`now()` })
      .where(eq(uploads.id, uploadId))
  })
}

/** One piece of a file; undefined behind its end, or when the file is gone. */
export const findChunk = async (
  db: Database,
  accountId: string,
  uploadId: string,
  chunk: number,
): Promise<Buffer | undefined> => {
  const [found] = await db
    .select({ bytes: uploadChunks.bytes })
    .from(uploadChunks)
    .where(
      and(eq(uploadChunks.accountId, accountId), eq(uploadChunks.uploadId, uploadId), eq(uploadChunks.chunk, chunk)),
    )
  return found?.bytes
}

/** A file that no run has taken over. */
export const discard = async (db: Database, accountId: string, uploadId: string): Promise<void> => {
  await db.delete(uploads).where(and(eq(uploads.accountId, accountId), eq(uploads.id, uploadId), isNull(uploads.runId)))
}

/** The file and its pieces. */
export const remove = async (db: Database, accountId: string, uploadId: string): Promise<void> => {
  await db.delete(uploads).where(and(eq(uploads.accountId, accountId), eq(uploads.id, uploadId)))
}

import { decode } from '../../csv/encoding.ts'
import { readPage, type PageLimits } from '../../csv/page.ts'
import { createCsvReader, type Place } from '../../csv/read.ts'
import type { Database } from '../../db/database.ts'
import * as uploads from '../../db/upload.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { RunUpload } from '../../domain/upload.ts'

/** Reads a stored file from a place on, page by page; the next chunk is under way while one is read. */
export const openFile = (db: Database, accountId: string, upload: RunUpload, from: Place) => {
  const reader = createCsvReader(upload.delimiter, from)
  const fetch = (chunk: number) =>
    chunk < upload.chunks ? uploads.findChunk(db, accountId, upload.fileId, chunk) : undefined
  let number = from.chunk
  let next = fetch(number)
  const more = async (): Promise<boolean> => {
    if (next === undefined) return false
    const bytes = await next
    if (bytes === undefined) throw new FairleadError('internal', { detail: 'The stored file is not complete.' })
    next = fetch(number + 1)
    // whoever ends early does not wait for it
    next?.catch(() => undefined)
    const text = decode(bytes, upload.encoding, number === 0)
    reader.push(number, number === from.chunk ? text.slice(from.offset) : text, number + 1 >= upload.chunks)
    number += 1
    return true
  }
  return (limits: PageLimits) => readPage(reader, more, limits)
}

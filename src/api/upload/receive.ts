import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { createChunker } from '../../csv/chunks.ts'
import { createEncodingDetector, decode, sniff, sniffedBytes } from '../../csv/encoding.ts'
import { readHead, type Head } from '../../csv/head.ts'
import * as uploads from '../../db/upload.ts'
import type { Database } from '../../db/database.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import type { Encoding } from '../../domain/upload.ts'

/** A client that sends nothing for so long is gone. */
const idleMs = 60_000

export type ReceivedFile = {
  fileId: string
  fileBytes: number
  chunks: number
  encoding: Encoding
  sha256: string
  head: Head
  /** records, as far as line ends tell */
  total: number
}

export type Receiving = {
  accountId: string
  listId: string
  asked: { encoding?: Encoding; delimiter?: string }
  mostBytes: number
  /** looks at the header as soon as it is there; what it throws refuses the file */
  check: (head: Head) => void
  stopping: AbortSignal
}

const tooLarge = (mostBytes: number): FairleadError =>
  new FairleadError('bodyTooLarge', {
    detail: `The file is larger than ${mostBytes.toLocaleString('en')} bytes.`,
    remedy: 'Upload it in parts, each with the header, or ask the operator to raise UPLOAD_MAX_BYTES.',
  })

/** The pieces of a body. When a client pauses for too long, or the API closes, it is given up. */
async function* piecesOf(body: Readable, stopping: AbortSignal): AsyncGenerator<Buffer> {
  const timer = setTimeout(() => body.destroy(new FairleadError('requestTimeout')), idleMs)
  const stop = (): void => void body.destroy(new FairleadError('overloaded', { retryAfterMs: 5000 }))
  stopping.addEventListener('abort', stop)
  try {
    // A body that is refused in the middle must not close the connection before the answer.
    for await (const piece of body.iterator({ destroyOnReturn: false })) {
      timer.refresh()
      yield piece as Buffer
      timer.refresh()
    }
  } catch (error) {
    throw isFairleadError(error) ? error : new FairleadError('malformedRequest', { detail: 'The request broke off.' })
  } finally {
    clearTimeout(timer)
    stopping.removeEventListener('abort', stop)
  }
}

const mixed = (line: number): FairleadError =>
  new FairleadError('notCsv', {
    detail: `Line ${line}: the letters are not in UTF-8, although others of the file are.`,
    remedy:
      'Correct the line and save the file as UTF-8, or say what it is in with “encoding=”, such as encoding=windows-1252.',
  })

const store = async (db: Database, fileId: string, body: Readable, receiving: Receiving): Promise<ReceivedFile> => {
  const { accountId, asked, mostBytes, check, stopping } = receiving
  const hash = createHash('sha256')
  let waiting: Buffer[] = []
  let sniffing:
    | { chunker: ReturnType<typeof createChunker>; detector: ReturnType<typeof createEncodingDetector> }
    | undefined
  let first: Buffer | undefined
  let fileBytes = 0
  let chunks = 0
  let lastByte = 10

  const headOf = (isWhole: boolean): Head =>
    readHead(decode(first!, sniffing!.detector.encoding(), true), isWhole, asked.delimiter)
  const add = async (chunk: Buffer, isLast: boolean): Promise<void> => {
    const { detector } = sniffing!
    detector.see(chunk)
    if (detector.isMixed()) throw mixed(detector.brokenLine()!)
    if (first === undefined) {
      first = chunk
      check(headOf(isLast))
    }
    await uploads.addChunk(db, accountId, fileId, chunks, chunk)
    chunks += 1
  }
  const begin = async (): Promise<void> => {
    const start = Buffer.concat(waiting)
    const encoding = asked.encoding ?? sniff(start)
    sniffing = { chunker: createChunker(encoding), detector: createEncodingDetector(encoding) }
    waiting = []
    for (const chunk of sniffing.chunker.push(start)) await add(chunk, false)
  }

  for await (const piece of piecesOf(body, stopping)) {
    fileBytes += piece.length
    if (fileBytes > mostBytes) throw tooLarge(mostBytes)
    hash.update(piece)
    lastByte = piece.at(-1) ?? lastByte
    if (sniffing === undefined) {
      waiting.push(piece)
      if (fileBytes >= sniffedBytes) await begin()
    } else for (const chunk of sniffing.chunker.push(piece)) await add(chunk, false)
  }
  if (fileBytes === 0) throw new FairleadError('emptyFile', { detail: 'Line 1: the file is empty.' })
  if (sniffing === undefined) await begin()
  const rest = sniffing!.chunker.end()
  if (rest !== undefined) await add(rest, true)

  const { detector } = sniffing!
  const encoding = detector.encoding()
  const broken = detector.brokenLine()
  if (encoding === 'utf-8' && broken !== undefined) {
    const why = asked.encoding === undefined ? 'although the file begins with the mark of UTF-8' : 'as was asked for'
    throw new FairleadError('invalidInput', {
      detail: `Line ${broken}: the letters are not in UTF-8, ${why}.`,
      remedy: 'Save the file as UTF-8, or say what it is in with “encoding”.',
    })
  }
  const head = headOf(chunks === 1)
  check(head)
  const lines = detector.lines() + (lastByte === 10 || lastByte === 13 || lastByte === 0 ? 0 : 1)
  const total = Math.max(0, lines - head.line)
  return { fileId, fileBytes, chunks, encoding, sha256: hash.digest('hex'), head, total }
}

const drainMs = 30_000

/** Reads past the rest of a file that was refused, for half a minute at most, so that the client comes to read the answer. */
export const drain = (body: Readable | undefined): void => {
  if (body === undefined || body.destroyed || body.readableEnded) return
  const timer = setTimeout(() => body.destroy(), drainMs)
  body.once('close', () => clearTimeout(timer))
  body.on('error', () => undefined)
  body.resume()
}

/**
 * Receives a file of any size into the database, piece by piece, in constant memory: the client is slowed down to what the database takes. One that
 * breaks off, or is refused, leaves nothing. Errors: bodyTooLarge, notCsv, emptyFile, headerInvalid, invalidInput, and those of `check`.
 */
export const receive = async (
  db: Database,
  body: Readable | undefined,
  contentLength: number,
  receiving: Receiving,
): Promise<ReceivedFile> => {
  if (contentLength > receiving.mostBytes) {
    drain(body)
    throw tooLarge(receiving.mostBytes)
  }
  if (body === undefined) throw new FairleadError('emptyFile', { detail: 'Line 1: the file is empty.' })
  const fileId = await uploads.begin(db, receiving.accountId, receiving.listId)
  try {
    return await store(db, fileId, body, receiving)
  } catch (error) {
    drain(body)
    // what cannot be removed now is removed by housekeeping
    await uploads.discard(db, receiving.accountId, fileId).catch(() => undefined)
    throw error
  }
}

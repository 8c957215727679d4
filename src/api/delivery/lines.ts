import type { Readable } from 'node:stream'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'

/** A client that sends nothing for so long is gone. */
const idleMs = 60_000
/** A mail of 500 KB, as JSON. */
const mostLineBytes = 2 * 1024 * 1024

/** `fault`: why it cannot be read. */
export type Line = { number: number; text: string; fault?: 'bodyTooLarge' | 'notUtf8' }

/** A mail is kept as it was sent: bytes that are no text are not guessed at. A byte order mark goes. */
const lineOf = (number: number, bytes: Buffer | null): Line => {
  if (bytes === null) return { number, text: '', fault: 'bodyTooLarge' }
  try {
    return { number, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return { number, text: '', fault: 'notUtf8' }
  }
}

/**
 * The lines of a body, as they come and are taken: a client is slowed down to what is stored. Blank ones are left out. A body that breaks off ends with
 * malformedRequest; what came before it is there.
 */
export async function* linesOf(body: Readable, stopping: AbortSignal): AsyncGenerator<Line> {
  const timer = setTimeout(() => body.destroy(new FairleadError('requestTimeout')), idleMs)
  const stop = (): void => void body.destroy(new FairleadError('overloaded', { retryAfterMs: 5000 }))
  stopping.addEventListener('abort', stop)
  let parts: Buffer[] = []
  let bytes = 0
  let number = 1
  const end = (): Line => {
    const line = lineOf(number, bytes > mostLineBytes ? null : Buffer.concat(parts))
    parts = []
    bytes = 0
    number += 1
    return line
  }
  const add = (piece: Buffer): void => {
    bytes += piece.length
    if (bytes <= mostLineBytes) parts.push(piece)
  }
  const isBlank = ({ text, fault }: Line): boolean => fault === undefined && text.trim() === ''
  try {
    for await (const piece of body.iterator({ destroyOnReturn: false })) {
      timer.refresh()
      let from = 0
      const whole = piece as Buffer
      for (let at = whole.indexOf(10); at !== -1; at = whole.indexOf(10, from)) {
        add(whole.subarray(from, at))
        from = at + 1
        const line = end()
        if (!isBlank(line)) yield line
      }
      add(whole.subarray(from))
      timer.refresh()
    }
    const last = end()
    if (!isBlank(last)) yield last
  } catch (error) {
    throw isFairleadError(error) ? error : new FairleadError('malformedRequest', { detail: 'The request broke off.' })
  } finally {
    clearTimeout(timer)
    stopping.removeEventListener('abort', stop)
  }
}

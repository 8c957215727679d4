import type { Encoding } from '../domain/upload.ts'

/** Bytes of a stored piece of a file. */
export const chunkBytes = 1024 * 1024

/** Where to cut so that each side is text by itself: behind the last line, else between two letters. */
const cutOf = (bytes: Buffer, encoding: Encoding | null): number => {
  const isLittle = encoding === 'utf-16le'
  if (isLittle || encoding === 'utf-16be') {
    const even = bytes.length - (bytes.length % 2)
    const [feed, gap] = isLittle ? [Buffer.from([10, 0]), 0] : [Buffer.from([0, 10]), 0]
    for (let at = bytes.lastIndexOf(feed, even - 2); at > 0; at = bytes.lastIndexOf(feed, at - 1)) {
      if (at % 2 === gap) return at + 2
    }
    const high = bytes[even - (isLittle ? 1 : 2)]!
    return high >= 0xd8 && high <= 0xdb ? even - 2 : even
  }
  const feed = bytes.lastIndexOf(10)
  if (feed > 0) return feed + 1
  // not before a byte that continues a letter of UTF-8, which has four at most
  let cut = bytes.length
  for (let back = 1; back <= 4; back += 1) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) break
    if (byte >= 0xc0) {
      cut = bytes.length - back
      break
    }
  }
  return cut
}

/** Cuts a stream of bytes into chunks that can each be decoded alone. Holds one chunk and one piece of the stream. */
export const createChunker = (encoding: Encoding | null, size = chunkBytes) => {
  let pieces: Buffer[] = []
  let held = 0
  return {
    *push(piece: Buffer): Generator<Buffer> {
      pieces.push(piece)
      held += piece.length
      while (held >= size) {
        const all = Buffer.concat(pieces)
        const cut = cutOf(all.subarray(0, size), encoding)
        const rest = all.subarray(cut)
        pieces = [rest]
        held = rest.length
        yield all.subarray(0, cut)
      }
    },
    /** what is left; undefined for nothing */
    end(): Buffer | undefined {
      return held === 0 ? undefined : Buffer.concat(pieces)
    },
  }
}

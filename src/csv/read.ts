import { unguard } from './safe.ts'

/** Where a record begins: chunk of the file, place in its text (UTF-16 units), and the 1-based line. */
export type Place = { chunk: number; offset: number; line: number }
/** As it is kept with a run. */
export const writePlace = ({ chunk, offset, line }: Place): string => `${chunk}:${offset}:${line}`
export const readPlace = (written: string): Place => {
  const [chunk = 0, offset = 0, line = 1] = written.split(':').map(Number)
  return { chunk, offset, line }
}

export type Breakage = 'strayQuote' | 'openQuote' | 'textAfterQuote' | 'tooLong'
/** A broken one has the cells of its first line as they can be told, for people to mend. */
export type CsvRow = { line: number; cells: string[]; broken?: Breakage }

/** Characters of the longest record that is read. */
export const longestRecord = 1_000_000
/** So much of a longer one is kept to recognise it by. */
const shownOfLong = 1000

const lineFeed = 10
const carriageReturn = 13
const quote = '"'
const quoteCode = 34

const isBlank = (cells: readonly string[]): boolean => cells.every((cell) => cell.trim() === '')

/** How many lines end within a text. */
const linesIn = (text: string): number => {
  let count = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === lineFeed || (code === carriageReturn && text.charCodeAt(at + 1) !== lineFeed)) count += 1
  }
  return count
}

/** What a look at the record at some place comes to: its cells and where they end, what is wrong with it, or that more text is needed. */
type Look = { cells: string[]; end: number } | { broken: Breakage } | 'more'

/**
 * Reads records from the texts of a file, in order, beginning at `from`. LF, CR LF and CR end a record, and blank ones are none. A broken record
 * costs its first line only: reading goes on with the next one (R22). Nothing is held beyond one record and one chunk.
 */
export const createCsvReader = (delimiter: string, from: Place, most = longestRecord) => {
  let text = ''
  /** begin of the next record */
  let at = 0
  let line = from.line
  let last = false
  /** where the chunks begin in `text`; the first one may begin before it */
  let parts: { chunk: number; start: number }[] = []
  let long: { line: number; shown: string } | undefined
  let nextQuote = -1
  let nextFeed = -1
  let nextReturn = -1

  const find = (what: string, after: number): number => {
    const found = text.indexOf(what, after)
    return found === -1 ? Infinity : found
  }
  /** The first line end from a place on; Infinity when there is none. */
  const lineEnd = (after: number): number => {
    if (nextFeed < after) nextFeed = find('\n', after)
    if (nextReturn < after) nextReturn = find('\r', after)
    return Math.min(nextFeed, nextReturn)
  }
  /** Behind a line end; undefined when the text ends between CR and, perhaps, LF. */
  const behind = (end: number): number | undefined => {
    if (end >= text.length) return text.length
    if (text.charCodeAt(end) === lineFeed) return end + 1
    if (end + 1 === text.length && !last) return undefined
    return text.charCodeAt(end + 1) === lineFeed ? end + 2 : end + 1
  }
  const place = (): Place => {
    const part = parts.findLast(({ start }) => start <= at)
    return part === undefined ? { ...from, line } : { chunk: part.chunk, offset: at - part.start, line }
  }

  const lookSlowly = (): Look => {
    const cells: string[] = []
    let i = at
    for (;;) {
      if (text.charCodeAt(i) === quoteCode) {
        const start = i + 1
        let close = text.indexOf(quote, start)
        while (close !== -1 && text.charCodeAt(close + 1) === quoteCode) close = text.indexOf(quote, close + 2)
        if (close === -1 || close - at > most) return last || text.length - at > most ? { broken: 'openQuote' } : 'more'
        cells.push(text.slice(start, close).replaceAll('""', quote))
        i = close + 1
        while (text.charCodeAt(i) === 32) i += 1
        if (i >= text.length) return last ? { cells, end: i } : 'more'
        const code = text.charCodeAt(i)
        if (code === lineFeed || code === carriageReturn) return { cells, end: i }
        if (text[i] !== delimiter) return { broken: 'textAfterQuote' }
        i += 1
        continue
      }
      let end = i
      for (; end < text.length; end += 1) {
        const code = text.charCodeAt(end)
        if (code === lineFeed || code === carriageReturn || code === quoteCode || text[end] === delimiter) break
      }
      if (end >= text.length && !last) return text.length - at > most ? { broken: 'tooLong' } : 'more'
      if (text.charCodeAt(end) === quoteCode) return { broken: end - at > most ? 'tooLong' : 'strayQuote' }
      cells.push(text.slice(i, end))
      if (end >= text.length || text[end] !== delimiter) return { cells, end }
      i = end + 1
    }
  }

  const look = (): Look => {
    const end = lineEnd(at)
    if (nextQuote < at) nextQuote = find(quote, at)
    if (nextQuote < end) return lookSlowly()
    if (end === Infinity && !last) return text.length - at > most ? { broken: 'tooLong' } : 'more'
    const stop = Math.min(end, text.length)
    return { cells: text.slice(at, stop).split(delimiter), end: stop }
  }

  /** Leaves out the rest of a line that is too long; undefined until its end is there. */
  const skipLong = (): CsvRow | undefined => {
    const { line: began, shown } = long!
    const end = lineEnd(at)
    const next = end === Infinity && !last ? undefined : behind(Math.min(end, text.length))
    if (next === undefined) {
      // a CR at the very end waits for what follows it
      at = end === Infinity ? text.length : end
      return undefined
    }
    long = undefined
    line += 1
    at = next
    return { line: began, cells: [shown], broken: 'tooLong' }
  }

  const takeBroken = (broken: Breakage): CsvRow | undefined => {
    const end = Math.min(lineEnd(at), text.length)
    const isWhole = lineEnd(at) !== Infinity || last
    const tooLong = (isWhole ? end : text.length) - at > most
    if (tooLong) {
      long = { line, shown: text.slice(at, at + Math.min(shownOfLong, most)) }
      return skipLong()
    }
    const next = isWhole ? behind(end) : undefined
    if (next === undefined) return undefined
    const row = { line, cells: text.slice(at, end).split(delimiter), broken }
    line += 1
    at = next
    return row
  }

  const take = (): CsvRow | undefined => {
    if (long !== undefined) return skipLong()
    while (at < text.length) {
      const seen = look()
      if (seen === 'more') return undefined
      if ('broken' in seen) return takeBroken(seen.broken)
      const next = behind(seen.end)
      if (next === undefined) return undefined
      if (seen.end - at > most) return takeBroken('tooLong')
      const row = { line, cells: seen.cells }
      line += seen.end > nextQuote ? linesIn(text.slice(at, seen.end)) + 1 : 1
      at = next
      if (!isBlank(row.cells)) return row
    }
    return undefined
  }

  return {
    /** The text of the next chunk; of the first one from `from.offset` on. */
    push(chunk: number, more: string, isLast: boolean): void {
      const start = parts.length === 0 ? -from.offset : text.length - at
      parts = parts.map((part) => ({ ...part, start: part.start - at }))
      const first = parts.findLastIndex((part) => part.start <= 0)
      parts = [...parts.slice(Math.max(0, first)), { chunk, start }]
      text = text.slice(at) + more
      at = 0
      last = isLast
      nextQuote = nextFeed = nextReturn = -1
    },
    /** The next record, or undefined when the next chunk is needed, or the file has ended. */
    next(): CsvRow | undefined {
      const row = take()
      if (row === undefined) return undefined
      row.cells = row.cells.map(unguard)
      return row
    },
    /** Where reading can go on in another process: behind the record that `next` gave last. */
    place,
  }
}

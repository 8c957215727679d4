import { isUtf8 } from 'node:buffer'
import { FairleadError } from '../domain/errors.ts'
import type { Encoding } from '../domain/upload.ts'

const refuse = (what: string, remedy: string): never => {
  throw new FairleadError('notCsv', { detail: `Line 1: this is ${what}, not a CSV file.`, remedy })
}

const saveAsCsv = 'Open it in the program that made it, save it as CSV (in Excel: “CSV UTF-8”), and upload that file.'
const unpack = 'Unpack it, and upload the CSV file that is in it.'
const signatures: readonly (readonly [bytes: readonly number[], what: string, remedy: string])[] = [
  [
    [0x50, 0x4b, 3, 4],
    'a ZIP file or an Excel workbook (XLSX)',
    `If it is a workbook: ${saveAsCsv} Otherwise: ${unpack}`,
  ],
  [[0x50, 0x4b, 5, 6], 'an empty ZIP file', unpack],
  [[0xd0, 0xcf, 0x11, 0xe0], 'an old Excel workbook (XLS)', saveAsCsv],
  [[0x25, 0x50, 0x44, 0x46], 'a PDF file', saveAsCsv],
  [[0x1f, 0x8b], 'a gzip file', unpack],
]
const shapes: readonly (readonly [RegExp, what: string, remedy: string])[] = [
  [/^\s*\{\\rtf/, 'an RTF document', saveAsCsv],
  [/^\s*(\{\s*("|\}|$)|\[\s*(\{|\[|\]|"|$))/, 'a JSON file', 'Send JSON to POST …/records/bulk, or save it as CSV.'],
  [/^\s*<(\?xml|!doctype|!--|[a-z][\w:]*[\s>])/i, 'an HTML or XML file', saveAsCsv],
]

const marks: readonly (readonly [bytes: readonly number[], encoding: Encoding])[] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
]

const beginsWith = (bytes: Buffer, start: readonly number[]): boolean =>
  bytes.length >= start.length && start.every((byte, index) => bytes[index] === byte)

/** How many bytes tell what a file is. */
export const sniffedBytes = 4096

/** UTF-16 without a mark: Latin text has a zero in every other byte, and only there. */
const zeroesOf = (head: Buffer): Encoding | 'none' | 'binary' => {
  const zeroes = [0, 0]
  for (const [index, byte] of head.entries()) if (byte === 0) zeroes[index % 2]! += 1
  const [even = 0, odd = 0] = zeroes
  const most = head.length / 2
  if (even === 0 && odd === 0) return 'none'
  if (even === 0 && odd > most * 0.4) return 'utf-16le'
  if (odd === 0 && even > most * 0.4) return 'utf-16be'
  return 'binary'
}

/**
 * What the first bytes say: an encoding, or null for one of those whose letters are bytes. Errors: notCsv for what is no text, or another kind of
 * text.
 */
export const sniff = (bytes: Buffer): Encoding | null => {
  const head = bytes.subarray(0, sniffedBytes)
  for (const [start, what, remedy] of signatures) if (beginsWith(head, start)) refuse(what, remedy)
  const marked = marks.find(([start]) => beginsWith(head, start))?.[1] ?? null
  const zeroes = marked === null ? zeroesOf(head) : 'none'
  if (zeroes === 'binary') return refuse('a binary file', saveAsCsv)
  const encoding = zeroes === 'none' ? marked : zeroes
  const text = decode(head, encoding ?? 'windows-1252', true)
  for (const [shape, what, remedy] of shapes) if (shape.test(text)) refuse(what, remedy)
  return encoding
}

/** What Windows-1252 has at 0x80 to 0x9f; five places are empty. */
const windows = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'

/** Node's own decoder for it is that of Latin-1. */
const decodeWindows = (bytes: Buffer): string =>
  // oxlint-disable-next-line no-control-regex
  bytes.toString('latin1').replaceAll(/[\u0080-\u009f]/g, (letter) => windows[letter.charCodeAt(0) - 0x80]!)

/** The text of a chunk; of the first one without the byte-order mark. */
export const decode = (bytes: Buffer, encoding: Encoding, isFirst: boolean): string => {
  const text =
    encoding === 'windows-1252' ? decodeWindows(bytes) : new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes)
  return isFirst && text.startsWith('\uFEFF') ? text.slice(1) : text
}

const lineFeed = 10

/** The line of the first bytes that are no UTF-8, counted from the beginning of these. */
const brokenLine = (bytes: Buffer): number => {
  let line = 0
  let start = 0
  for (;;) {
    const end = bytes.indexOf(lineFeed, start)
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) return line
    line += 1
    start = end + 1
  }
}

/** A letter of UTF-8 that is more than one byte, in bytes that were read as Latin-1. */
const wideLetter =
  /[\u00c2-\u00df][\u0080-\u00bf]|\u00e0[\u00a0-\u00bf][\u0080-\u00bf]|[\u00e1-\u00ec\u00ee\u00ef][\u0080-\u00bf]{2}|\u00ed[\u0080-\u009f][\u0080-\u00bf]|\u00f0[\u0090-\u00bf][\u0080-\u00bf]{2}|[\u00f1-\u00f3][\u0080-\u00bf]{3}|\u00f4[\u0080-\u008f][\u0080-\u00bf]{2}/

const hasWideLetters = (bytes: Buffer): boolean => wideLetter.test(bytes.toString('latin1'))

/** Sees the chunks of a file as they pass, each cut between two letters, and says at the end in which encoding they are (R39: nothing is held). */
export const createEncodingDetector = (sniffed: Encoding | null) => {
  let lines = 0
  let returns = 0
  let broken: number | undefined
  let wide = false
  const isWide = sniffed === 'utf-16le' || sniffed === 'utf-16be'
  return {
    see(chunk: Buffer): void {
      if (broken === undefined && !isWide && !isUtf8(chunk)) broken = lines + 1 + brokenLine(chunk)
      if (sniffed === null && !wide) wide = hasWideLetters(chunk)
      for (let at = chunk.indexOf(lineFeed); at !== -1; at = chunk.indexOf(lineFeed, at + 1)) lines += 1
      if (lines === 0) for (let at = chunk.indexOf(13); at !== -1; at = chunk.indexOf(13, at + 1)) returns += 1
    },
    /** the line of the first bytes that are no UTF-8 */
    brokenLine: (): number | undefined => broken,
    /** whether some letters are in UTF-8 and others in no way, and nobody said what the file is in: it must not be guessed */
    isMixed: (): boolean => wide && broken !== undefined,
    /** as far as the file was seen; the mark decides, also where it is wrong */
    encoding: (): Encoding => sniffed ?? (broken === undefined ? 'utf-8' : 'windows-1252'),
    /** line ends, those within quotation marks too */
    lines: (): number => lines || returns,
  }
}

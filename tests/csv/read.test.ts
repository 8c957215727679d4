import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createChunker } from '../../src/csv/chunks.ts'
import { decode } from '../../src/csv/encoding.ts'
import { createCsvReader, readPlace, writePlace, type CsvRow, type Place } from '../../src/csv/read.ts'
import { mark, writeRecord } from '../../src/csv/write.ts'
import type { Encoding } from '../../src/domain/upload.ts'

const start: Place = { chunk: 0, offset: 0, line: 1 }

/** Reads the texts of a file from a place on, and says where each record ends. */
const readAll = (texts: string[], delimiter = ',', from = start, most?: number) => {
  const reader = createCsvReader(delimiter, from, most)
  const rows: CsvRow[] = []
  const places: Place[] = []
  for (let chunk = from.chunk; chunk < texts.length; chunk += 1) {
    reader.push(
      chunk,
      chunk === from.chunk ? texts[chunk]!.slice(from.offset) : texts[chunk]!,
      chunk === texts.length - 1,
    )
    for (let row = reader.next(); row !== undefined; row = reader.next()) {
      rows.push(row)
      places.push(reader.place())
    }
  }
  return { rows, places }
}
const read = (text: string, delimiter = ',', most?: number) => readAll([text], delimiter, start, most).rows

describe('records', () => {
  test('lines are counted as people count them, those within quotation marks too', () => {
    expect(read('a,b\r\n"x\r\ny\rz\nw",1\n\n2,3\r4,5')).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['x\r\ny\rz\nw', '1'] },
      { line: 7, cells: ['2', '3'] },
      { line: 8, cells: ['4', '5'] },
    ])
  })

  test('blank lines, and lines of blank cells, are no records', () => {
    expect(read('a,b\n\n,\n ,\t\n"",""\n1,\n')).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 6, cells: ['1', ''] },
    ])
  })

  test('blanks behind a closing quotation mark belong to nothing', () => {
    expect(read('"a" ,b\n"c","d" ')).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['c', 'd'] },
    ])
  })
})

describe('R22: a broken record costs its first line only', () => {
  test.each([
    ['a quotation mark within a cell', 'a,5" pipe', 'strayQuote'],
    ['one that is never closed', 'a,"open', 'openQuote'],
    ['text behind one that closes', 'a,"b"c', 'textAfterQuote'],
  ])('%s', (_, line, broken) => {
    const rows = read(`h,i\n1,2\n${line}\n3,4\n5,6\n`)
    expect(rows.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5])
    expect(rows[2]).toEqual({ line: 3, cells: line.split(','), broken })
  })

  test('one that is closed by the next line’s opening one', () => {
    const rows = read('1,"open\n2,"closed"\n3,x\n')
    expect(rows.map(({ line, broken }) => [line, broken])).toEqual([
      [1, 'textAfterQuote'],
      [2, undefined],
      [3, undefined],
    ])
  })

  test('a record, or a line, that is too long', () => {
    const long = 'x'.repeat(300)
    expect(read(`a\n"open\n${long}\nb\n`, ',', 100).map(({ line, broken }) => [line, broken])).toEqual([
      [1, undefined],
      [2, 'openQuote'],
      [3, 'tooLong'],
      [4, undefined],
    ])
    const { rows, places } = readAll(['a\nxx', long, `${long}\r`, '\nb,c\n'], ',', start, 100)
    expect(rows.map(({ line, broken }) => [line, broken])).toEqual([
      [1, undefined],
      [2, 'tooLong'],
      [3, undefined],
    ])
    expect(places[1]).toEqual({ chunk: 3, offset: 1, line: 3 })
  })

  // in a time that grows with their number: with its square this would take hours
  test('many of them', () => {
    const rows = read(`${'a,"open\n'.repeat(1)}${'x,y\n'.repeat(200_000)}`)
    expect(rows).toHaveLength(200_001)
    expect(read('"a\n'.repeat(100_000)).length).toBeGreaterThan(50_000)
  })
})

const cell = fc.oneof(
  fc.string({
    unit: fc.constantFrom('a', 'ü', '€', '"', ',', ';', '\t', '|', '\r', '\n', '\r\n', '=', "'", '-', ' ', '1'),
    maxLength: 12,
  }),
  fc.string({ unit: 'grapheme', maxLength: 6 }).filter((text) => !/\0/.test(text)),
)
const table = fc
  .integer({ min: 1, max: 5 })
  .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 12 }))
  // a row of blank cells is no record
  .map((rows) => rows.filter((row) => row.some((text) => text.trim() !== '')))
const delimiter = fc.constantFrom(',', ';', '\t', '|')

const encode = (text: string, encoding: Encoding): Buffer => {
  if (encoding === 'utf-8') return Buffer.from(text)
  const little = Buffer.from(text, 'utf16le')
  return encoding === 'utf-16le' ? little : Buffer.from(little).swap16()
}

/** A file as it is stored: pieces of any size come in, chunks go out, each is decoded alone. */
const stored = (bytes: Buffer, encoding: Encoding, pieceBytes: number, chunkBytes: number): string[] => {
  const chunker = createChunker(encoding === 'utf-8' ? null : encoding, chunkBytes)
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes)
    chunks.push(...chunker.push(bytes.subarray(at, at + pieceBytes)))
  const rest = chunker.end()
  if (rest !== undefined) chunks.push(rest)
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  return chunks.map((chunk, index) => decode(chunk, encoding, index === 0))
}

describe('what is written is read', () => {
  test('any table, any delimiter and encoding, in pieces of any size, and from every place on', () => {
    fc.assert(
      fc.property(
        table,
        delimiter,
        fc.constantFrom<Encoding>('utf-8', 'utf-16le', 'utf-16be'),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 8, max: 60 }),
        (rows, delimiter, encoding, pieceBytes, chunkBytes) => {
          const text = mark + rows.map((row) => writeRecord(row, delimiter)).join('')
          const texts = stored(encode(text, encoding), encoding, pieceBytes, chunkBytes)
          const whole = readAll(texts, delimiter)
          expect(whole.rows.map(({ cells }) => cells)).toEqual(rows)
          for (const [index, place] of whole.places.entries()) {
            const rest = readAll(texts, delimiter, readPlace(writePlace(place)))
            expect(rest.rows).toEqual(whole.rows.slice(index + 1))
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  test('any text at all is read alike in one piece and in many, broken records included, and from every place on', () => {
    const any = fc.string({ unit: fc.constantFrom('a', 'b', '"', ',', '\r', '\n', '\r\n', '""', 'ü'), maxLength: 80 })
    fc.assert(
      fc.property(any, fc.integer({ min: 8, max: 30 }), fc.integer({ min: 4, max: 40 }), (text, chunkBytes, most) => {
        const one = readAll([text], ',', start, most)
        const texts = stored(Buffer.from(text), 'utf-8', 5, chunkBytes)
        const many = readAll(texts.length === 0 ? [''] : texts, ',', start, most)
        expect(many.rows).toEqual(one.rows)
        for (const [index, place] of many.places.entries()) {
          expect(readAll(texts, ',', place, most).rows).toEqual(many.rows.slice(index + 1))
        }
      }),
      { numRuns: 3000 },
    )
  })
})

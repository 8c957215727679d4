import { expect, test } from 'vitest'
import { readPage } from '../../src/csv/page.ts'
import { createCsvReader } from '../../src/csv/read.ts'
import { cutCells, cutMark } from '../../src/domain/upload/cut.ts'

const readerOf = (text: string) => {
  const reader = createCsvReader(',', { chunk: 0, offset: 0, line: 1 })
  reader.push(0, text, true)
  return reader
}
const noMore = async () => false

test('a page ends by its rows or by its characters, whichever comes first, and the next one goes on there', async () => {
  const reader = readerOf(`${'x'.repeat(60)},\n`.repeat(3) + 'a\n'.repeat(5))
  const limits = { rows: 4, characters: 100 }
  const pages = [
    await readPage(reader, noMore, limits),
    await readPage(reader, noMore, limits),
    await readPage(reader, noMore, limits),
  ]
  expect(pages.map(({ rows }) => rows.length)).toEqual([2, 4, 2])
  expect(pages.map(({ place, done }) => [place.line, done])).toEqual([
    [3, false],
    [7, false],
    [9, true],
  ])
})

test('cells without letters count too', async () => {
  const { rows } = await readPage(readerOf('a' + `${','.repeat(59)}\na`.repeat(5)), noMore, {
    rows: 9,
    characters: 100,
  })
  expect(rows).toHaveLength(2)
})

test('an entry keeps 2,000 characters of a cell and 20,000 of a row, and marks what it cut', () => {
  expect(cutCells(['a', '', 'b'.repeat(2000)])).toEqual(['a', '', 'b'.repeat(2000)])
  expect(cutCells(['b'.repeat(2001)])).toEqual([`${'b'.repeat(2000)}${cutMark}`])
  const cells = cutCells(Array.from({ length: 500 }, () => 'c'.repeat(1999)))
  expect(cells).toHaveLength(500)
  expect(cells.join('').replaceAll(cutMark, '')).toHaveLength(20_000)
  expect(cutCells(Array.from({ length: 100_000 }, () => ''))).toHaveLength(2001)
})

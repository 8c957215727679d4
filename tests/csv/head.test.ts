import * as fc from 'fast-check'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { detectDelimiter } from '../../src/csv/delimiter.ts'
import { createEncodingDetector, decode, sniff } from '../../src/csv/encoding.ts'
import { readHead } from '../../src/csv/head.ts'

const utf16 = (text: string, little = true): Buffer => {
  const bytes = Buffer.from(text, 'utf16le')
  return little ? bytes : bytes.swap16()
}
const latin = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('what is no CSV is refused by its first bytes', () => {
  test.each([
    ['a ZIP file', Buffer.from([0x50, 0x4b, 3, 4, 20, 0]), /ZIP file or an Excel workbook/],
    ['an old Excel workbook', Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1]), /old Excel/],
    ['a PDF', latin('%PDF-1.7\n'), /PDF/],
    ['a gzip file', gzipSync('a,b\n'), /gzip/],
    ['JSON', latin('[{"email":"a@b.c"}]'), /JSON/],
    ['JSON', latin('{\n "email": 1}'), /JSON/],
    ['HTML', latin('<!DOCTYPE html><html>'), /HTML or XML/],
    ['XML', latin('\uFEFF<?xml version="1.0"?>').subarray(1), /HTML or XML/],
    ['bytes', Buffer.concat([Buffer.from([0, 0, 0, 1]), deflateRawSync('x'.repeat(500))]), /binary/],
  ])('%s', (_, bytes, sentence) => {
    expect(() => sniff(bytes)).toThrow(
      expect.objectContaining({ code: 'notCsv', message: expect.stringMatching(sentence) as string }) as Error,
    )
    expect(() => sniff(bytes)).toThrow(/^Line 1: /)
  })

  test.each(['E-mail,Name\n', '[a],b\n', '<3,b\n', 'PK,b\n', '"{a}",b\n'])('%j is one', (text) => {
    expect(sniff(Buffer.from(text))).toBeNull()
  })
})

describe('encoding', () => {
  const detect = (bytes: Buffer) => {
    const detector = createEncodingDetector(sniff(bytes))
    detector.see(bytes)
    return detector.encoding()
  }
  test.each([
    ['a mark of UTF-8', Buffer.from('\uFEFFName,Größe\n'), 'utf-8'],
    ['UTF-8 throughout', Buffer.from('Name,Größe\n'), 'utf-8'],
    ['Latin letters', latin('Name,Größe\n'), 'windows-1252'],
    ['a mark of UTF-16', utf16('\uFEFFName,Größe\n'), 'utf-16le'],
    ['the other mark of UTF-16', utf16('\uFEFFName,Größe\n', false), 'utf-16be'],
    ['UTF-16 without a mark', utf16('Name,Größe\n'), 'utf-16le'],
    ['the other UTF-16 without a mark', utf16('Name,Größe\n', false), 'utf-16be'],
  ])('%s', (_, bytes, encoding) => {
    expect(detect(bytes)).toBe(encoding)
    expect(decode(bytes, detect(bytes), true)).toBe('Name,Größe\n')
  })

  test.each(['ä', '€', '😀'])('%s in UTF-8 and a broken byte, in either order, are a mixture', (letter) => {
    const chunks = [Buffer.from(`a\n${letter}\n`), latin('b\nü\n')]
    for (const [order, line] of [
      [chunks, 4],
      [chunks.toReversed(), 2],
      [[Buffer.concat(chunks)], 4],
    ] as const) {
      const detector = createEncodingDetector(null)
      for (const chunk of order) detector.see(chunk)
      expect([detector.isMixed(), detector.brokenLine()]).toEqual([true, line])
      const told = createEncodingDetector('windows-1252')
      for (const chunk of order) told.see(chunk)
      expect([told.isMixed(), told.encoding()]).toEqual([false, 'windows-1252'])
    }
    const pure = createEncodingDetector(null)
    pure.see(latin('Größe\xC4rger\n'))
    expect([pure.isMixed(), pure.encoding()]).toEqual([false, 'windows-1252'])
  })

  test('Windows-1252 has what Latin-1 has not', () => {
    expect(decode(Buffer.from([0x80, 0x93, 0x94]), 'windows-1252', false)).toBe('€“”')
  })

  test('the line of the first bytes that are no UTF-8 is known', () => {
    const detector = createEncodingDetector(null)
    detector.see(Buffer.from('a\nb\n'))
    detector.see(Buffer.concat([Buffer.from('c\nä\n'), latin('ä\n')]))
    expect([detector.brokenLine(), detector.lines()]).toEqual([5, 5])
  })
})

describe('delimiter', () => {
  test.each([
    ['a;b;c\n1,5;2;3\n', ';'],
    ['a,b\n"x;y;z;w",1\n', ','],
    ['a\tb\nx, y\tz\n', '\t'],
    ['a|b|c\n1|2|3\n', '|'],
    ['E-mail\na@b.example\n', ','],
    ['sep=;\na;b\n', ';'],
    ['sep=,\na,b;c\n', ','],
  ])('of %j', (text, delimiter) => {
    expect(detectDelimiter(text, true).delimiter).toBe(delimiter)
  })

  test('of any table with two columns or more whose cells are words', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'ü', ' ', '1'), maxLength: 6 }).map((text) => `a${text}`)
    const row = fc.array(word, { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 2, maxLength: 9 }),
        fc.constantFrom(',', ';', '\t', '|'),
        (rows, delimiter) => {
          expect(detectDelimiter(rows.map((cells) => cells.join(delimiter)).join('\n'), true).delimiter).toBe(delimiter)
        },
      ),
    )
  })
})

describe('header', () => {
  test('it is the first line that is not blank, behind the one that says the delimiter', () => {
    expect(readHead('sep=;\r\n\r\nE-mail;"First\nname"\r\na@b.c;Pat\r\n', true)).toEqual({
      delimiter: ';',
      header: ['E-mail', 'First\nname'],
      line: 3,
      next: { chunk: 0, offset: 30, line: 5 },
    })
  })

  test.each([
    ['', 'emptyFile', /^Line 1: /],
    ['\r\n\r\n', 'emptyFile', /^Line 1: /],
    ['a,b"c\n1,2\n', 'headerInvalid', /^Line 1: /],
    ['\n"a,b\n1,2\n', 'headerInvalid', /^Line 2: /],
  ])('%j is refused', (text, code, sentence) => {
    expect(() => readHead(text, true)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(sentence) as string }) as Error,
    )
  })
})

import { describe, expect, test } from 'vitest'
import type { RecordColumn } from '../../src/domain/record.ts'
import { headersOf, mapHeader, type HeaderOptions } from '../../src/domain/upload/header.ts'

const column = (key: string, name: string, crmField: string | null = null): RecordColumn => ({
  id: key,
  key,
  name,
  type: 'text',
  crmField,
  system: false,
})
const own = [column('c1', 'E-mail', 'Email'), column('c2', 'First name', 'FirstName'), column('c3', 'Last name')]
const toOf = (header: string[], columns = own, options: Partial<HeaderOptions> = {}) =>
  mapHeader(header, 1, columns, { given: {}, unknown: 'ignore', ...options }).columns.map(({ to }) => to)

describe('keys are no headers of foreign files', () => {
  test('a header that looks like one is a name like others', () => {
    expect(toOf(['E-mail', 'c2', 'C3'])).toEqual(['c1', null, null])
    expect(toOf(['E-mail', 'c2'], [...own, column('c8', 'c2')])).toEqual(['c1', 'c8'])
  })

  test('the caller may name one', () => {
    expect(toOf(['E-mail', 'c2'], own, { given: { c2: 'c3' } })).toEqual(['c1', 'c3'])
  })

  test('a download writes one where no name leads back, and there it is read', () => {
    const columns = [...own, column('c8', 'Same'), column('c9', 'same'), column('c10', 'c2')]
    const headers = headersOf(columns).columns.map(({ header }) => header)
    expect(headers).toEqual(['E-mail', 'First name', 'Last name', 'Same', 'c9', 'c10'])
    expect(toOf(headers, columns)).toEqual(columns.map(({ key }) => key))
  })
})

test.each(['ignore', 'create', 'refuse'] as const)('NUL in a header is refused with its place (%s)', (unknown) => {
  for (const name of ['Hat\0', 'Hat\uD800']) {
    expect(() => toOf(['E-mail', name], own, { unknown })).toThrow(
      expect.objectContaining({
        code: 'headerInvalid',
        message: 'Line 1: the name of column 2 holds characters that are not text.',
      }) as Error,
    )
  }
})

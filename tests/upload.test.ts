import * as fc from 'fast-check'
import { createConnection } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as runs from '../src/db/run/state.ts'
import { removeUploads } from '../src/db/housekeeping.ts'
import { until } from './support/fairlead.ts'
import { expectBalanced, openUploads, type Json, type Uploads } from './support/upload.ts'

let uploads: Uploads
beforeAll(async () => {
  uploads = await openUploads({}, { uploadBytes: 4_000_000 })
}, 60_000)
afterAll(() => uploads.close())

/** Bytes of Windows-1252. */
const latin = (text: string): Buffer => Buffer.from(text.replaceAll('€', '\u0080'), 'latin1')
const causesOf = async (runId: string): Promise<Record<string, number>> => {
  const { body } = await uploads.call('GET', `/v1/runs/${runId}/causes`)
  return Object.fromEntries(body.items.map((cause: Json) => [cause.code, cause.count]))
}
const entriesOf = async (runId: string, query = ''): Promise<Json[]> =>
  (await uploads.call('GET', `/v1/runs/${runId}/entries?limit=200${query}`)).body.items
const valuesOf = async (listId: string) => (await uploads.records(listId)).map(({ values }) => values)

describe('files as people have them', () => {
  test('Excel in Germany: semicolons, Windows-1252, decimal commas, days with points', async () => {
    const listId = await uploads.newList()
    const file = latin(
      'Vorname;Nachname;E-Mail;Company;Score;Birthday;Member\r\nJörg;Müller;joerg@example.com;"10 € GmbH; Köln";1.234,5;1.2.1990;ja\r\n',
    )
    const run = await uploads.upload(listId, file, { decimal: 'comma' })
    expectBalanced(run, { read: 1, created: 1 })
    expect(run.upload).toMatchObject({ encoding: 'windows-1252', delimiter: ';', fileBytes: file.length })
    expect(await valuesOf(listId)).toEqual([
      {
        c1: 'joerg@example.com',
        c2: 'Jörg',
        c3: 'Müller',
        c8: '10 € GmbH; Köln',
        c9: 1234.5,
        c10: true,
        c11: '1990-02-01',
      },
    ])
  })

  test('Excel with a byte-order mark, and with UTF-16', async () => {
    const text = '\uFEFFE-mail\tFirst name\r\njoerg@example.com\tJörg\r\n'
    for (const file of [Buffer.from(text), Buffer.from(text, 'utf16le'), Buffer.from(text, 'utf16le').swap16()]) {
      const listId = await uploads.newList()
      expectBalanced(await uploads.upload(listId, file), { created: 1 })
      expect(await valuesOf(listId)).toEqual([{ c1: 'joerg@example.com', c2: 'Jörg' }])
    }
  })

  test('line breaks within quotation marks stay, and lines are counted through them', async () => {
    const listId = await uploads.newList()
    const run = await uploads.upload(
      listId,
      'Email,Company,Score\r\na@x.example,"One\r\nTwo\n\nThree",1\r\nb@x.example,B,many\r\n',
    )
    expectBalanced(run, { read: 2, created: 1, rejected: 1 })
    expect(await valuesOf(listId)).toEqual([{ c1: 'a@x.example', c8: 'One\r\nTwo\n\nThree', c9: 1 }])
    const [entry] = await entriesOf(run.id)
    expect(entry).toMatchObject({
      kind: 'rejected',
      phase: 'upload',
      code: 'invalidCell',
      row: {
        line: 6,
        column: 'Score',
        message: 'A number column expects a number.',
        cells: ['b@x.example', 'B', 'many'],
      },
    })
  })

  test('500 columns are made when that is asked for, and kept', async () => {
    const listId = await uploads.newList()
    const names = Array.from({ length: 500 }, (_, index) => `Extra ${index}`)
    const file = `Email,${names.join()}\r\na@x.example,${names.map((_, index) => `v${index}`).join()}\r\n`
    const refused = await uploads.send(listId, file)
    expect([refused.status, refused.body.code, refused.body.errors.length]).toEqual([422, 'unknownColumn', 500])
    expectBalanced(await uploads.upload(listId, file, { unknownColumns: 'create' }), { created: 1 })
    const [record] = await valuesOf(listId)
    expect(Object.values(record!)).toEqual(['a@x.example', ...names.map((_, index) => `v${index}`)])
    const { body } = await uploads.call('GET', `/v1/lists/${listId}/columns`)
    expect(body.items.slice(-500).map(({ name }: Json) => name)).toEqual(names)
    // the same again finds them
    expectBalanced(await uploads.upload(listId, file), { created: 1 })
  })

  test('a single column, and a file without a line end', async () => {
    const listId = await uploads.newList()
    expectBalanced(await uploads.upload(listId, 'E-Mail Address\na@x.example\nb@x.example'), { created: 2 })
  })

  test('a header alone brings nothing', async () => {
    const listId = await uploads.newList()
    expectBalanced(await uploads.upload(listId, 'Email\r\n'), { read: 0 })
  })
})

describe('a file that cannot be used is refused at once, in a sentence with the line; nothing is stored', () => {
  const zip = Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), Buffer.alloc(3_000_000, 7)])
  test.each<[string, string | Buffer, string, Record<string, string>?]>([
    ['a ZIP file', zip, 'notCsv'],
    ['an empty file', '', 'emptyFile'],
    ['blank lines', '\r\n\r\n', 'emptyFile'],
    ['a mark alone', '\uFEFF', 'emptyFile'],
    ['no header', 'pat@example.com,Pat,Miller\r\n', 'headerMissing'],
    ['no header, and columns to be made', 'pat@example.com,Pat\r\n', 'headerMissing', { unknownColumns: 'create' }],
    ['no header, numbers', '1,2\r\n', 'headerMissing', { unknownColumns: 'create' }],
    ['no name that is known', 'Foo,Bar\r\n1,2\r\n', 'headerMissing'],
    ['a name twice', 'Email,Company,company\r\n', 'headerInvalid'],
    ['two names for one column', 'Email,E-mail\r\n', 'headerInvalid'],
    ['columns that the list has not', 'Email,Shoe size\r\n', 'unknownColumn'],
    ['nothing that goes anywhere', 'id,crmId\r\n', 'headerMissing'],
    ['1,001 columns', `Email,${Array.from({ length: 1000 }, (_, n) => `x${n}`).join()}\r\n`, 'headerInvalid'],
    ['a quotation mark without a partner', 'Email,"Company\r\na@x.example,1\r\n', 'headerInvalid'],
    ['nothing to match by', 'First name\r\nPat\r\n', 'headerInvalid', { match: 'email' }],
    ['no external id to match by', 'Email\r\n', 'headerInvalid', { match: 'externalId' }],
    [
      'UTF-8 with one broken byte',
      Buffer.concat([Buffer.from('Email,Company\r\na@x.example,Müller\r\n'), latin('b@x.example,Müller\r\n')]),
      'notCsv',
    ],
    [
      'letters that are not in UTF-8 as was asked',
      latin('Email,Company\r\na@x.example,Müller\r\n'),
      'invalidInput',
      { encoding: 'utf-8' },
    ],
  ])('%s', async (_, file, code, query) => {
    const listId = await uploads.newList()
    const { status, body } = await uploads.send(listId, file, query)
    expect([status, body.code]).toEqual([422, code])
    expect(body.detail).toMatch(/^Line \d+: .*\.$/s)
    expect(body.remedy).toMatch(/\.$/)
    expect(await uploads.leftovers()).toBe(0)
    expect((await uploads.call('GET', `/v1/lists/${listId}/columns`)).body.items).toHaveLength(8)
  })

  test('all columns that the list has not are named at once', async () => {
    const { body } = await uploads.send(await uploads.newList(), 'Email,Shoe size,Hat\r\n')
    expect(body.errors.map(({ path }: Json) => path)).toEqual(['Shoe size', 'Hat'])
  })

  test('a file above the limit is refused by what it says of itself, and by what comes (R39)', async () => {
    const listId = await uploads.newList()
    const file = Buffer.from(`Email\r\n${'a@x.example\r\n'.repeat(320_000)}`)
    expect((await uploads.send(listId, file)).body).toMatchObject({ status: 413, code: 'bodyTooLarge' })
    const { body } = await uploads.send(listId, Readable.from([file.subarray(0, 2_000_000), file.subarray(2_000_000)]))
    expect(body).toMatchObject({ status: 413, detail: 'The file is larger than 4,000,000 bytes.' })
    expect(await uploads.leftovers()).toBe(0)
  })

  test('a form, JSON and a body without a type get 415 with the remedy', async () => {
    const listId = await uploads.newList()
    for (const type of ['multipart/form-data; boundary=x', 'application/json', 'image/png']) {
      const { status, body } = await uploads.send(listId, '{}', {}, { 'content-type': type })
      expect([status, body.code]).toEqual([415, 'unsupportedMediaType'])
      expect(body.remedy).toContain('text/csv')
    }
  })

  test('another account’s list and upload answer 404', async () => {
    const nobody = '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071'
    expect((await uploads.send(nobody, 'Email\r\n')).status).toBe(404)
    expect((await uploads.call('GET', `/v1/lists/${nobody}/download`)).status).toBe(404)
    expect((await uploads.call('GET', `/v1/uploads/${nobody}/errors`)).status).toBe(404)
  })
})

describe('R22: a bad row harms no other', () => {
  const file = [
    'Email,First name,Score,Birthday,Notes to self',
    'a@x.example,A,1,2026-01-31,',
    'b@x.example,5" pipe,2,,',
    'nobody,C,3,,',
    'd@x.example,D,many,,',
    'e@x.example,E,5,,too,many,cells',
    'f@x.example,F',
    ',,,,only what is left out',
    'g@x.example,"G',
    'h@x.example,H,8,30.2.2026,',
    `i@x.example,${'I'.repeat(100_001)},9,,`,
    'j@x.example,N\0UL,10,,',
    '',
    'k@x.example,"K ""k""",11,1.2.2026,',
  ].join('\r\n')

  test('each is listed with line, column, sentence and cells; the list of them can be corrected and uploaded again', async () => {
    const listId = await uploads.newList()
    const run = await uploads.upload(listId, file, { unknownColumns: 'ignore' })
    expectBalanced(run, { read: 12, created: 3, rejected: 9 })
    expect(run.warnings).toEqual([
      {
        code: 'columnIgnored',
        message: 'The list has no column Notes to self: it was left out.',
        count: 1,
        field: 'Notes to self',
      },
    ])
    expect((await valuesOf(listId)).map(({ c2 }) => c2)).toEqual(['A', 'F', 'K "k"'])
    const entries = await entriesOf(run.id)
    expect(entries.map(({ code, row }) => [row.line, code, row.column])).toEqual([
      [3, 'brokenRow', undefined],
      [4, 'invalidCell', 'Email'],
      [5, 'invalidCell', 'Score'],
      [6, 'tooManyCells', undefined],
      [8, 'emptyRow', undefined],
      [9, 'brokenRow', undefined],
      [10, 'invalidCell', 'Birthday'],
      [11, 'invalidCell', 'First name'],
      [12, 'invalidCell', 'First name'],
    ])
    expect(await causesOf(run.id)).toEqual({ brokenRow: 2, invalidCell: 5, tooManyCells: 1, emptyRow: 1 })

    const report = await uploads.errors(run.id)
    expect(report.split('\r\n').slice(0, 2)).toEqual([
      '\uFEFF_line,_code,_column,_message,Email,First name,Score,Birthday,Notes to self',
      '3,brokenRow,,A quotation mark stands in the middle of a cell that does not begin with one.,b@x.example,"5"" pipe",2,,',
    ])
    expect(report).toContain(`,${'I'.repeat(2000)}…[cut],9,,`)
    expect(report).toContain('characters. Cells that end with …[cut] were longer.",i@x.example')
    const corrected = report
      .replace(/\r\n5,.*many/s, (text) => text.replace('many', '4'))
      .replace('30.2.2026', '28.2.2026')
      .replace(',nobody,', ',c@x.example,')
    const second = await uploads.upload(listId, corrected, { unknownColumns: 'ignore' })
    expect(second.warnings.map(({ field }: Json) => field)).toEqual(['Notes to self'])
    // an open quotation mark and a character that cannot be kept are letters like others by now
    expect(second.counts.upload).toMatchObject({ read: 9, created: 6 })
    await uploads.expectCounted(listId, 9)
  })

  test('columns without a name keep their own cells, and a broken row is not taken as it stands', async () => {
    const listId = await uploads.newList()
    const run = await uploads.upload(listId, 'Email,,,Company\r\n"x@e.example,one,two,three\r\n')
    expectBalanced(run, { rejected: 1 })
    const report = await uploads.errors(run.id)
    expect(report.split('\r\n')[1]).toMatch(/,"{3}x@e\.example",one,two,three$/)
    const again = await uploads.upload(listId, report)
    expectBalanced(again, { created: 0, rejected: 1 })
    expect(await causesOf(again.id)).toEqual({ invalidCell: 1 })
  })

  test('the list of errors is of the upload’s own account, and of no other run', async () => {
    const listId = await uploads.newList()
    const run = await uploads.upload(listId, 'Email\r\nnobody\r\n')
    expect(await uploads.errors(run.id)).toContain('nobody')
    const other = await uploads.upload(listId, 'Email\r\na@x.example\r\n')
    expect((await uploads.errors(other.id)).split('\r\n')).toHaveLength(2)
  })
})

describe('who is who', () => {
  const first = 'Email,First name,externalId,Score\r\na@x.example,A,1,1\r\nb@x.example,B,2,2\r\n'

  test('without matching each row is a new record, and an external id that is taken is rejected', async () => {
    const listId = await uploads.newList()
    expectBalanced(await uploads.upload(listId, 'Email\r\na@x.example\r\na@x.example\r\n'), { created: 2 })
    expectBalanced(await uploads.upload(listId, first), { created: 2 })
    const again = await uploads.upload(listId, first)
    expectBalanced(again, { created: 0, rejected: 2 })
    const [entry] = await entriesOf(again.id)
    expect(entry).toMatchObject({ code: 'externalIdTaken', row: { line: 2, column: 'externalId' } })
    expect(entry.recordId).not.toBeNull()
    await uploads.expectCounted(listId, 4)
  })

  test('by e-mail the same person is updated, with before and after', async () => {
    const listId = await uploads.newList()
    await uploads.upload(listId, first)
    const run = await uploads.upload(
      listId,
      'Email,First name,Score\r\nA@X.example ,Anna,1\r\nb@x.example,B,2\r\nc@x.example,C,3\r\nc@x.example,Cc,3\r\n,nobody,1\r\n,nobody,1\r\n',
      { match: 'email' },
    )
    expectBalanced(run, { read: 6, created: 3, updated: 2, unchanged: 1 })
    const updated = await entriesOf(run.id, '&kind=updated')
    expect(updated.map(({ changes }) => changes)).toEqual([
      { 'First name': { before: 'A', after: 'Anna' } },
      { 'First name': { before: 'C', after: 'Cc' } },
    ])
    const created = await entriesOf(run.id, '&kind=created')
    expect(created.map(({ phase }) => phase)).toEqual(['upload', 'upload', 'upload'])
    await uploads.expectCounted(listId, 5)
  })

  test('by external id, also when the address changes; a row without one is rejected', async () => {
    const listId = await uploads.newList()
    await uploads.upload(listId, first)
    const run = await uploads.upload(
      listId,
      'External ID,Email\r\n1,new@x.example\r\n2,b@x.example\r\n,c@x.example\r\n',
      {
        match: 'externalId',
      },
    )
    expectBalanced(run, { updated: 1, unchanged: 1, rejected: 1 })
    expect((await valuesOf(listId)).map(({ c1 }) => c1)).toEqual(['new@x.example', 'b@x.example'])
  })

  test('who is there can be left alone, and is listed', async () => {
    const listId = await uploads.newList()
    await uploads.upload(listId, first)
    const run = await uploads.upload(listId, 'Email,First name\r\na@x.example,Other\r\nz@x.example,Z\r\n', {
      match: 'email',
      onMatch: 'skip',
    })
    expectBalanced(run, { created: 1, skipped: 1 })
    expect(await causesOf(run.id)).toEqual({ existsSkipped: 1 })
    expect(await uploads.errors(run.id)).toContain('2,existsSkipped,,')
  })

  test('R8: a blank cell changes nothing, or clears when that is asked for; a missing one never does', async () => {
    const listId = await uploads.newList()
    await uploads.upload(listId, first)
    const blank = 'Email,First name,Score\r\na@x.example,,\r\nb@x.example\r\n'
    expectBalanced(await uploads.upload(listId, blank, { match: 'email' }), { unchanged: 2 })
    expectBalanced(await uploads.upload(listId, blank, { match: 'email', blanks: 'clear' }), {
      updated: 1,
      unchanged: 1,
    })
    expect((await valuesOf(listId)).map(({ c2, c9 }) => [c2, c9])).toEqual([
      [null, null],
      ['B', 2],
    ])
  })

  test('the caller may say himself where each column goes', async () => {
    const listId = await uploads.newList()
    const columns = { Kontakt: 'email', Firma: 'company', Nummer: 'externalId', Geheim: null }
    const run = await uploads.upload(listId, 'Kontakt;Firma;Nummer;Geheim;Vorname\r\na@x.example;F;7;x;A\r\n', {
      columns: JSON.stringify(columns),
    })
    expectBalanced(run, { created: 1 })
    expect(run.upload.columns.map(({ column }: Json) => column)).toEqual(['c1', 'c8', 'externalId', null, 'c2'])
    expect(await uploads.records(listId)).toEqual([
      { externalId: '7', values: { c1: 'a@x.example', c2: 'A', c8: 'F' } },
    ])
    for (const [mapping, code] of [
      ['{"Nobody":"email"}', 'invalidInput'],
      ['{"Kontakt":"Shoe size"}', 'unknownColumn'],
      ['[1]', 'invalidInput'],
      ['{', 'invalidInput'],
    ]) {
      const { status, body } = await uploads.send(listId, 'Kontakt\r\nx\r\n', { columns: mapping! })
      expect([status, body.code]).toEqual([422, code])
    }
  })

  test('an edit of somebody who is in the CRM waits to be pushed', async () => {
    const { fairlead } = uploads
    await fairlead.connect()
    const { listId } = await fairlead.finished(await fairlead.startImport('lead', ['Company']))
    const [lead] = await fairlead.db.$client<{ id: string; email: string }[]>`
      select id, fields ->> 'c1' as email from records where list_id = ${listId!}`
    const run = await uploads.upload(
      listId!,
      `Email,Company,Modify Date\r\n${lead!.email},Uploaded Ltd,2020-01-01T00:00:00Z\r\n`,
      {
        match: 'email',
        unknownColumns: 'ignore',
      },
    )
    expectBalanced(run, { updated: 1 })
    const record = (await uploads.call('GET', `/v1/lists/${listId}/records/${lead!.id}`)).body
    expect([record.fields.Company, record.pending]).toEqual(['Uploaded Ltd', ['Company']])
  }, 60_000)
})

describe('a download comes back', () => {
  const word = fc.oneof(
    fc.string({
      unit: fc.constantFrom('a', 'ü', '"', ',', ';', '\n', '\r', "'", '=', '+', '@', '1', ' '),
      maxLength: 8,
    }),
    fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => !/\0|\p{Surrogate}/u.test(text)),
    fc.constantFrom('=1+1', "'=1+1", '@x', '-5', '+1 555 0100', '＝1', 'x'.repeat(5000)),
  )

  test('upload, download, upload: equal records; cells that begin with = are harmless in between', async () => {
    const listId = await uploads.newList()
    const rows = fc.sample(fc.array(word, { minLength: 3, maxLength: 3 }), { numRuns: 300, seed: 7 })
    const numbers = [0, -1, 1.5, 1e21, 5e-7, '12345678901234567.89', 99_000]
    const fields = rows.map(([c2, c3, c8], index) => ({
      c1: index % 7 === 0 ? null : `p${index}@x.example`,
      c2: c2!.trim() === '' ? null : c2,
      c3: c3!.trim() === '' ? null : c3,
      c8: c8!.trim() === '' ? null : c8,
      c9: numbers[index % numbers.length],
      c10: [true, false, null][index % 3],
      c11: ['2026-01-31', '1999-12-31', null][index % 3],
      c12: ['2026-01-31T10:00:00.001Z', null][index % 2],
    }))
    const text = JSON.stringify(fields).replaceAll('"12345678901234567.89"', '12345678901234567.89')
    await uploads.fairlead.db.$client`
      insert into records (account_id, list_id, fields, external_id)
      select ${uploads.fairlead.accountId}::uuid, ${listId}::uuid, jsonb_strip_nulls(x.value), 'id-' || x.n
      from jsonb_array_elements(${text}::text::jsonb) with ordinality as x (value, n) order by x.n`
    const before = await uploads.records(listId)
    for (const [delimiter, bom] of [
      ['comma', 'true'],
      ['semicolon', 'false'],
      ['tab', 'true'],
    ] as const) {
      const file = await uploads.download(listId, { delimiter, bom })
      expect(file.startsWith('\uFEFF')).toBe(bom === 'true')
      expect(file).toContain("'=1+1")
      expect(file).not.toMatch(/(^|[,;\t\n])"?(=1\+1|@x|＝1)/)
      const other = await uploads.newList()
      const run = await uploads.upload(other, file)
      expectBalanced(run, { read: 300, created: 300 })
      expect(run.warnings.map(({ field }: Json) => field)).toEqual(['id', 'crmEntity', 'crmId', 'crmState'])
      expect(await uploads.records(other)).toEqual(before)
      expectBalanced(await uploads.upload(listId, file, { match: 'externalId' }), { unchanged: 300 })
    }
  }, 60_000)

  test('edited, with match=id: each row into its own record, twins and people without an address too', async () => {
    const listId = await uploads.newList()
    const twins =
      'Email,First name,externalId\r\nt@x.example,One,1\r\nt@x.example,Two,2\r\n,Nobody,\r\ngone@x.example,G,\r\n'
    await uploads.upload(listId, twins)
    const file = await uploads.download(listId)
    expectBalanced(await uploads.upload(listId, file, { match: 'id' }), { unchanged: 4 })
    await uploads.fairlead.db.$client`
      update records set removed_at = now() where list_id = ${listId} and fields ->> 'c2' = 'G'`
    await uploads.fairlead.db.$client`update lists set record_count = record_count - 1 where id = ${listId}`
    const other = await uploads.newList()
    await uploads.upload(other, 'Email\r\nz@x.example\r\n')
    const [, stranger = ''] = (await uploads.download(other)).split('\r\n')
    const width = file.split('\r\n')[0]!.split(',').length
    const pad = (cells: string[]) => [...cells, ...Array<string>(width - cells.length).fill('')].join()
    const edited = `${file.replace('Two', 'Second').replace('Nobody', 'Somebody')}${stranger}\r\n${pad(['n@x.example', 'New'])}\r\n${stranger.replace(/[\da-f-]{36}/, 'x1')}\r\n`
    const run = await uploads.upload(listId, edited, { match: 'id' })
    expectBalanced(run, { read: 7, created: 1, updated: 2, unchanged: 1, rejected: 3 })
    expect((await valuesOf(listId)).map(({ c1, c2 }) => [c1, c2])).toEqual([
      ['t@x.example', 'One'],
      ['t@x.example', 'Second'],
      [undefined, 'Somebody'],
      ['n@x.example', 'New'],
    ])
    const rejected = await entriesOf(run.id, '&kind=rejected')
    expect(rejected.map(({ code, row }) => [row.line, code, row.column])).toEqual([
      [5, 'recordRemoved', 'id'],
      [6, 'recordUnknown', 'id'],
      [8, 'recordUnknown', 'id'],
    ])
    await uploads.expectCounted(listId, 4)
    expect((await uploads.send(listId, 'Email\r\n', { match: 'id' })).body.code).toBe('headerInvalid')
  })

  test('its name is the list’s, safe in every file system', async () => {
    const listId = await uploads.newList(undefined, 'Kunden/"Köln" 2026: 日本')
    const { headers } = await uploads.call('GET', `/v1/lists/${listId}/download`)
    expect(headers['content-type']).toBe('text/csv; charset=utf-8')
    expect(headers['content-disposition']).toBe(
      `attachment; filename="Kunden Koln 2026.csv"; filename*=UTF-8''Kunden%20K%C3%B6ln%202026%20%E6%97%A5%E6%9C%AC.csv`,
    )
  })

  test('of a segment holds who is in it, and says so when the segment cannot tell', async () => {
    const listId = await uploads.newList()
    await uploads.upload(listId, 'Email,Score\r\na@x.example,1\r\nb@x.example,2\r\nc@x.example,3\r\n')
    const filter = { column: 'Score', operator: 'greater', value: 1 }
    const post = async (path: string, body: unknown) =>
      uploads.call('POST', path, JSON.stringify(body), { 'content-type': 'application/json' })
    const { id } = (await post(`/v1/lists/${listId}/segments`, { name: 'High', filter })).body
    const csv = (await uploads.call('GET', `/v1/lists/${listId}/download?segmentId=${id}`)).text
    expect(csv.match(/\w@x\.example/g)).toEqual(['b@x.example', 'c@x.example'])
    const other = await uploads.newList()
    expect((await uploads.call('GET', `/v1/lists/${other}/download?segmentId=${id}`)).body.code).toBe('notFound')
    const { items } = (await uploads.call('GET', `/v1/lists/${listId}/columns`)).body
    const { id: score } = items.find(({ name }: { name: string }) => name === 'Score')
    await uploads.call('DELETE', `/v1/lists/${listId}/columns/${score}`)
    expect((await uploads.call('GET', `/v1/lists/${listId}/download?segmentId=${id}`)).body.code).toBe('segmentBroken')
  }, 60_000)

  test('headers that clash lead back to their columns all the same', async () => {
    const columns = {
      c8: ['id', 'text'],
      c9: ['externalId', 'text'],
      c10: ['Same', 'text'],
      c11: ['same ', 'text'],
    } as const
    const listId = await uploads.newList(columns as never)
    const file = 'Email,id,_externalId,Same,c11,externalId\r\na@x.example,mine,ext,one,two,nine\r\n'
    expectBalanced(await uploads.upload(listId, file), { created: 1 })
    const expected = [
      { externalId: 'ext', values: { c1: 'a@x.example', c8: 'mine', c9: 'nine', c10: 'one', c11: 'two' } },
    ]
    expect(await uploads.records(listId)).toEqual(expected)
    const download = await uploads.download(listId)
    const other = await uploads.newList(columns as never)
    await uploads.upload(other, download)
    expect(await uploads.records(other)).toEqual(expected)
  })

  test('people who are in the CRM, and removed records', async () => {
    const listId = await uploads.newList()
    await uploads.upload(listId, 'Email\r\na@x.example\r\nb@x.example\r\n')
    const sql = uploads.fairlead.db.$client
    await sql`update records set crm_entity = 'lead', crm_id = 'Q1' where list_id = ${listId} and fields ->> 'c1' = 'a@x.example'`
    await sql`update records set removed_at = now() where list_id = ${listId} and fields ->> 'c1' = 'b@x.example'`
    const [, line = '', ...rest] = (await uploads.download(listId)).split('\r\n')
    expect(line).toMatch(/^a@x\.example,.*,lead,Q1,linked$/)
    expect(rest).toEqual([''])
  })
})

describe('one after another, and never half', () => {
  const big = (from: number, count: number): string =>
    `Email,First name\r\n${Array.from({ length: count }, (_, n) => `p${from + n}@x.example,N${from + n}\r\n`).join('')}`

  test('uploads of a list run in the order they came, beside its syncs', async () => {
    const listId = await uploads.newList()
    const ids: string[] = []
    for (const name of ['A', 'B', 'C']) {
      const { body } = await uploads.send(
        listId,
        `Email,First name\r\na@x.example,${name}\r\n${'z@x.example,Z\r\n'.repeat(3000)}`,
        { match: 'email' },
      )
      ids.push(body.id)
    }
    for (const id of ids) expect((await uploads.finish(id)).state).toBe('succeeded')
    const ended = await Promise.all(ids.map((id) => runs.get(uploads.fairlead.db, uploads.fairlead.accountId, id)))
    for (const [index, run] of ended.entries()) {
      if (index > 0) expect(run.startedAt!.getTime()).toBeGreaterThanOrEqual(ended[index - 1]!.finishedAt!.getTime())
    }
    expect((await valuesOf(listId))[0]).toMatchObject({ c2: 'C' })
    expect(await uploads.leftovers()).toBe(0)
  })

  test('a column that is removed before its cells are read is named on the run', async () => {
    const listId = await uploads.newList()
    const first = await uploads.send(listId, big(0, 20_000))
    const second = await uploads.send(listId, 'Email,Company,Score\r\na@x.example,Acme,7\r\n')
    const { body } = await uploads.call('GET', `/v1/lists/${listId}/columns`)
    const { id } = body.items.find(({ name }: { name: string }) => name === 'Company')
    expect((await uploads.call('DELETE', `/v1/lists/${listId}/columns/${id}`)).status).toBe(200)
    expect((await uploads.finish(first.body.id)).warnings).toEqual([])
    const run = await uploads.finish(second.body.id)
    expectBalanced(run, { read: 1, created: 1 })
    expect(run.warnings).toMatchObject([{ code: 'columnRemoved', field: 'Company', count: 1 }])
    expect((await valuesOf(listId)).at(-1)).toEqual({ c1: 'a@x.example', c9: 7 })
  })

  test('one that waits is cancelled at once; one that works stops at a page, and what it stored is counted', async () => {
    const listId = await uploads.newList()
    const [first, second, third] = [
      await uploads.send(listId, big(0, 60_000)),
      await uploads.send(listId, big(0, 10)),
      await uploads.send(listId, big(0, 10)),
    ]
    const cancelled = await uploads.call('POST', `/v1/runs/${second.body.id}/cancel`)
    expect(cancelled.body.state).toBe('cancelled')
    await until('it works', async () => (await uploads.call('GET', `/v1/runs/${first.body.id}`)).body.progress.done > 0)
    const lists = (await uploads.call('GET', `/v1/lists/${listId}`)).body
    expect(lists.recordCount).toBeLessThanOrEqual(60_000)
    await uploads.call('POST', `/v1/runs/${first.body.id}/cancel`)
    const run = await uploads.finish(first.body.id)
    expect(run).toMatchObject({ state: 'cancelled', balance: { balanced: true } })
    expect((await uploads.finish(third.body.id)).state).toBe('succeeded')
    await uploads.expectCounted(listId, run.counts.upload.created + 10)
    expect(await uploads.leftovers()).toBe(0)
  })

  test('R18: removing the list cancels them', async () => {
    const listId = await uploads.newList()
    const { body } = await uploads.send(listId, big(0, 60_000))
    const waiting = await uploads.send(listId, big(0, 10))
    await until('it works', async () => (await uploads.call('GET', `/v1/runs/${body.id}`)).body.progress.done > 0)
    expect((await uploads.call('DELETE', `/v1/lists/${listId}`)).status).toBe(204)
    expect((await uploads.finish(body.id)).state).toBe('cancelled')
    expect((await uploads.finish(waiting.body.id)).state).toBe('cancelled')
    expect(await uploads.leftovers()).toBe(0)
  })

  test('a request that breaks off stores nothing', async () => {
    await uploads.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = uploads.app.server.address() as AddressInfo
    const listId = await uploads.newList()
    const socket = createConnection(port, '127.0.0.1')
    socket.write(
      `POST /v1/lists/${listId}/upload HTTP/1.1\r\nHost: x\r\nAuthorization: ${uploads.authorization}\r\nContent-Type: text/csv\r\nContent-Length: 3900000\r\n\r\n`,
    )
    socket.write(big(0, 100_000))
    await until('a piece is stored', async () => (await uploads.leftovers()) > 1)
    socket.destroy()
    await until('it is gone', async () => (await uploads.leftovers()) === 0)
    await uploads.expectCounted(listId, 0)
    expect((await uploads.call('GET', `/v1/lists/${listId}/runs`)).body.items).toEqual([])
  })

  test('slow clients of one account are five at most, and keep nobody else waiting', async () => {
    const listId = await uploads.newList()
    const slow = Array.from({ length: 5 }, () => new Readable({ read: () => undefined }))
    const sent = slow.map(async (body) => uploads.send(listId, body))
    for (const body of slow) body.push('Email\r\n')
    await until('all are received', async () => (await uploads.leftovers()) === 5)
    const { status, body, headers } = await uploads.send(listId, 'Email\r\n')
    expect([status, body.code, headers['retry-after']]).toEqual([503, 'overloaded', '5'])
    slow[0]!.push(null)
    const first = await sent[0]!
    expectBalanced(await uploads.finish(first.body.id), { read: 0 })
    expectBalanced(await uploads.upload(listId, 'Email\r\na@x.example\r\n'), { created: 1 })
    for (const file of slow.slice(1)) file.push(null)
    for (const answer of await Promise.all(sent)) expect(answer.status).toBe(202)
    for (const answer of await Promise.all(sent)) await uploads.finish(answer.body.id)
  })

  test('a client that still sends learns at once that its file is refused', async () => {
    const { port } = uploads.app.server.address() as AddressInfo
    const listId = await uploads.newList()
    const zip = Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), Buffer.alloc(3_900_000, 7)])
    const answer = await fetch(`http://127.0.0.1:${port}/v1/lists/${listId}/upload`, {
      method: 'POST',
      headers: { authorization: uploads.authorization, 'content-type': 'text/csv' },
      body: zip,
    })
    expect([answer.status, ((await answer.json()) as Json).code]).toEqual([422, 'notCsv'])
    expect(await uploads.leftovers()).toBe(0)
  })

  test('what a process left that died while it received is removed by housekeeping, and nothing else', async () => {
    const { db, accountId } = uploads.fairlead
    const listId = await uploads.newList()
    const sql = db.$client
    const [old] = await sql<[{ id: string }]>`
      insert into uploads (account_id, list_id, touched_at) values (${accountId}, ${listId}, now() - interval '61 minutes') returning id`
    const [young] = await sql<[{ id: string }]>`
      insert into uploads (account_id, list_id, touched_at) values (${accountId}, ${listId}, now() - interval '59 minutes') returning id`
    for (const { id } of [old, young]) await sql`insert into upload_chunks values (${id}, 0, ${accountId}, '\\x61')`
    await removeUploads(db, 60)
    expect((await sql`select upload_id as id from upload_chunks`).map(({ id }) => id)).toEqual([young.id])
    await sql`delete from uploads`
  })

  test('the same Idempotency-Key brings a file once; another file with it is refused', async () => {
    const listId = await uploads.newList()
    const headers = { 'idempotency-key': 'once' }
    const first = await uploads.send(listId, big(0, 3), {}, headers)
    const second = await uploads.send(listId, big(0, 3), {}, headers)
    expect(second.body.id).toBe(first.body.id)
    expect((await uploads.send(listId, big(0, 4), {}, headers)).body.code).toBe('idempotencyMismatch')
    await uploads.finish(first.body.id)
    await uploads.expectCounted(listId, 3)
    expect(await uploads.leftovers()).toBe(0)
  })
})

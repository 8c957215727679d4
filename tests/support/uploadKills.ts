import { randomInt } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { until } from './fairlead.ts'
import { expectBalanced, type Json, type Uploads } from './upload.ts'
import { startWorker } from './worker.ts'

/** Every so many rows one is broken, of each kind in turn. */
const brokenEvery = 100
const isBroken = (row: number): boolean => row % brokenEvery === 7

const lineOf = (row: number): string => {
  if (!isBroken(row)) {
    return `p${row}@x.example,First ${row},Last ${row},"Company ${row}\n& Sons",${row},true,2026-01-31,2026-01-31T10:00:00Z,shop-${row}\n`
  }
  const kind = Math.floor(row / brokenEvery) % 3
  if (kind === 0) return `p${row}@x.example,5" pipe ${row},L,C,1,true,,,\n`
  if (kind === 1) return `p${row}@x.example,F,L,C,many,true,,,\n`
  return `p${row}@x.example,F,L,C,1,true,,,x${row},one,more\n`
}

const header = 'Email,First name,Last name,Company,Score,Member,Birthday,Seen,externalId\n'

/** A file of so many rows, made while it is sent. */
export const peopleFile = (rows: number): Readable =>
  Readable.from(
    (function* () {
      yield header
      for (let row = 0; row < rows; row += 1000) {
        yield Array.from({ length: Math.min(1000, rows - row) }, (_, n) => lineOf(row + n)).join('')
      }
    })(),
  )

/** The physical lines of the rows that are broken: every good row has two. */
const brokenLines = (rows: number): number[] => {
  const lines: number[] = []
  let line = 2
  for (let row = 0; row < rows; row += 1) {
    if (isBroken(row)) lines.push(line)
    line += isBroken(row) ? 1 : 2
  }
  return lines
}

/** Everything that the file says is there once, every broken row is listed with its line, and every sum agrees. */
export const expectAllThere = async (uploads: Uploads, listId: string, run: Json, rows: number): Promise<void> => {
  const lines = brokenLines(rows)
  const good = rows - lines.length
  expectBalanced(run, { read: rows, created: good, updated: 0, unchanged: 0, skipped: 0, rejected: lines.length })
  await uploads.expectCounted(listId, good)
  const { $client: sql } = uploads.fairlead.db
  const [sums] = await sql<[Json]>`
    select count(*)::int as rows, count(distinct external_id)::int as ids, sum((fields ->> 'c9')::bigint)::text as score,
      bool_and(fields ->> 'c1' = 'p' || (fields ->> 'c9') || '@x.example' and fields ->> 'c2' = 'First ' || (fields ->> 'c9')
        and fields ->> 'c8' = 'Company ' || (fields ->> 'c9') || E'\n& Sons' and external_id = 'shop-' || (fields ->> 'c9')) as equal
    from records where list_id = ${listId}`
  let score = 0n
  for (let row = 0; row < rows; row += 1) if (!isBroken(row)) score += BigInt(row)
  expect(sums).toEqual({ rows: good, ids: good, score: String(score), equal: true })
  const listed = await sql<{ line: number }[]>`
    select (row ->> 'line')::int as line from entries where last_run_id = ${run.id} order by id`
  expect(listed.map(({ line }) => line)).toEqual(lines)
}

type Options = { rows: number; kills: number; watch?: (pid: number) => void }

/** Uploads a file while the worker is killed when random shares of it are stored, each time replaced by a new one. */
export const surviveUploadKills = async (uploads: Uploads, { rows, kills, watch }: Options): Promise<Json> => {
  const hourMs = 3_600_000
  const { fairlead } = uploads
  const listId = await uploads.newList()
  const answer = await uploads.app.inject({
    method: 'POST',
    url: `/v1/lists/${listId}/upload`,
    headers: { authorization: uploads.authorization, 'content-type': 'text/csv' },
    payload: peopleFile(rows),
  })
  expect(answer.statusCode).toBe(202)
  const { id } = answer.json<{ id: string }>()
  let worker = await startWorker(fairlead)
  watch?.(worker.pid)
  const stored = async (): Promise<number> => {
    const [sum] = await fairlead.db.$client<[{ read: number }]>`
      select coalesce(sum(read), 0)::int as read from lanes where run_id = ${id}`
    return sum.read
  }
  for (let kill = 0; kill < kills; kill += 1) {
    const at = Math.floor((rows * kill) / kills) + randomInt(1, Math.max(2, Math.floor((rows * 0.6) / kills)))
    await until(`${at} rows are stored`, async () => (await stored()) >= at, hourMs)
    await worker.kill()
    expect(await stored()).toBeLessThan(rows)
    worker = await startWorker(fairlead)
    watch?.(worker.pid)
  }
  await fairlead.finished(id, hourMs)
  const run = await uploads.finish(id)
  await expectAllThere(uploads, listId, run, rows)
  return run
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../src/embedded/port.ts'
import { apiFlags, memoryEnvironment } from '../../src/start/memory.ts'
import { until } from '../support/fairlead.ts'
import { openUploads, type Json } from '../support/upload.ts'
import { expectAllThere, peopleFile } from '../support/uploadKills.ts'
import { peakOf, startWorker, workerFlags } from '../support/worker.ts'

const rows = 1_000_000
const hourMs = 3_600_000

const residentOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

test('1 million rows: the memory of API and worker is bounded, a SIGKILL in the middle harms nothing, every count is exact', async () => {
  const uploads = await openUploads({ worker: false })
  onTestFinished(() => uploads.close())
  const { fairlead } = uploads
  const port = await freePort()
  const api = spawn(process.execPath, [...apiFlags, '--import', 'tsx', 'src/serve.ts'], {
    env: { ...process.env, ...memoryEnvironment, ...fairlead.environment, PORT: String(port) },
    stdio: 'ignore',
  })
  onTestFinished(async () => {
    api.kill('SIGKILL')
    await once(api, 'exit')
  })
  const base = `http://127.0.0.1:${port}`
  await until('the API answers', () =>
    fetch(`${base}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    ),
  )
  const idle = peakOf(api.pid!)

  const listId = await uploads.newList()
  const began = performance.now()
  const sent = request(`${base}/v1/lists/${listId}/upload`, {
    method: 'POST',
    headers: { authorization: uploads.authorization, 'content-type': 'text/csv' },
  })
  const answered = once(sent, 'response')
  await pipeline(peopleFile(rows), sent)
  const [response] = (await answered) as [AsyncIterable<Buffer> & { statusCode: number }]
  let body = ''
  for await (const piece of response) body += String(piece)
  expect(response.statusCode).toBe(202)
  const { id, upload } = JSON.parse(body) as Json
  const received = performance.now()
  const apiPeak = peakOf(api.pid!)

  const read = async (): Promise<number> => {
    const [sum] = await fairlead.db.$client<
      [{ read: number }]
    >`select sum(read)::int as read from lanes where run_id = ${id}`
    return sum.read
  }
  const first = await startWorker(fairlead, workerFlags())
  await until('a third is stored', async () => (await read()) > rows / 3, hourMs)
  await first.kill()
  const second = await startWorker(fairlead, workerFlags())
  const from = await read()
  const went = performance.now()
  await until('it goes on', async () => (await read()) > from, hourMs)
  const again = performance.now()
  await until('half is stored', async () => (await read()) > rows / 2, hourMs)
  const half = residentOf(second.pid)
  await fairlead.finished(id, hourMs)
  const ended = performance.now()
  const workerPeak = peakOf(second.pid)
  await expectAllThere(uploads, listId, await uploads.finish(id), rows)
  expect(await uploads.leftovers()).toBe(0)

  const download = performance.now()
  const file = await fetch(`${base}/v1/lists/${listId}/download`, { headers: { authorization: uploads.authorization } })
  let bytes = 0
  for await (const piece of file.body!) bytes += (piece as Buffer).length
  const seconds = (ms: number): string => (ms / 1000).toFixed(1)
  console.log(
    [
      `file ${(upload.fileBytes / 1e6).toFixed(0)} MB, received in ${seconds(received - began)} s`,
      `rows/s after the kill ${((rows - from) / ((ended - again) / 1000)).toFixed(0)}, which was noticed after ${seconds(again - went)} s`,
      `download ${(bytes / 1e6).toFixed(0)} MB in ${seconds(performance.now() - download)} s`,
      `resident MiB: API ${idle.toFixed(0)} idle, ${apiPeak.toFixed(0)} peak receiving, ${peakOf(api.pid!).toFixed(0)} peak with the download; worker ${half.toFixed(0)} at half, ${workerPeak.toFixed(0)} peak`,
    ].join('\n'),
  )
  expect(apiPeak).toBeLessThan(400)
  expect(peakOf(api.pid!)).toBeLessThan(450)
  expect(workerPeak).toBeLessThan(400)
})

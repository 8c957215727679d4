import type { FastifyInstance } from 'fastify'
import type { Readable } from 'node:stream'
import { expect } from 'vitest'
import { buildApp, type AppOptions } from '../../src/api/app.ts'
import * as apiKeys from '../../src/db/apiKey.ts'
import type { FieldType } from '../../src/domain/crm.ts'
import { compileMessage } from '../../src/mail/render.ts'
import { addList } from '../api/rows.ts'
import { openFairlead, type Fairlead } from './fairlead.ts'

type Columns = Record<string, [name: string, type: FieldType, crmField?: string | null]>
// oxlint-disable-next-line typescript/no-explicit-any -- tests look into whatever came back
export type Json = any

const types: Columns = {
  c8: ['Company', 'text'],
  c9: ['Score', 'number'],
  c10: ['Member', 'boolean'],
  c11: ['Birthday', 'date'],
  c12: ['Seen', 'instant'],
}

/** The API beside a Fairlead that is there, and what people do with files. */
export const addUploads = async (fairlead: Fairlead, api: AppOptions = {}) => {
  const { db, accountId, wiring } = fairlead
  const services = {
    db,
    secrets: wiring.secrets,
    relay: wiring.relay,
    engineReady: async () => true,
    temporalUiUrl: 'http://127.0.0.1:8233',
    temporalNamespace: 'default',
    checkWebhookHost: () => undefined,
    mailConfigured: false,
    publicUrl: null,
    compileMessage,
    log: wiring.log,
  }
  const app: FastifyInstance = await buildApp(services, { waitMs: 400, ...api })
  await app.ready()
  const { key } = await apiKeys.insert(db, accountId, { name: 'uploads', role: 'admin' })
  const authorization = `Bearer ${key}`
  let count = 0

  const call = async (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    url: string,
    body?: Buffer | string | Readable,
    headers = {},
  ) => {
    const answer = await app.inject({ method, url, headers: { authorization, ...headers }, payload: body })
    const isJson = /json/.test(String(answer.headers['content-type'] ?? ''))
    const read: Json = isJson ? answer.json() : undefined
    return { status: answer.statusCode, headers: answer.headers, body: read, text: answer.body }
  }
  /** Sends a file; answers whatever came. */
  const send = (listId: string, file: Buffer | string | Readable, query: Record<string, string> = {}, headers = {}) =>
    call('POST', `/v1/lists/${listId}/upload?${new URLSearchParams(query)}`, file, {
      'content-type': 'text/csv',
      ...headers,
    })
  const finish = async (runId: string): Promise<Json> => {
    await fairlead.finished(runId)
    return (await call('GET', `/v1/runs/${runId}`)).body
  }
  return {
    fairlead,
    app,
    authorization,
    call,
    send,
    finish,
    /** A plain list with a column of each type. */
    async newList(columns: Columns = types, name = `List ${(count += 1)}`): Promise<string> {
      const listId = await addList(db, accountId, { name, columns })
      await db.$client`update lists set kind = 'plain' where id = ${listId}`
      await db.$client`update columns set crm_field = null where list_id = ${listId}`
      return listId
    },
    /** Sends a file that is taken; answers its run when that is over. */
    async upload(listId: string, file: Buffer | string, query: Record<string, string> = {}): Promise<Json> {
      const { status, body, headers } = await send(listId, file, query)
      expect([status, body.detail]).toEqual([202, undefined])
      expect(headers['location']).toBe(`/v1/runs/${body.id}`)
      return finish(body.id)
    },
    async download(listId: string, query: Record<string, string> = {}): Promise<string> {
      const { status, text } = await call('GET', `/v1/lists/${listId}/download?${new URLSearchParams(query)}`)
      expect(status).toBe(200)
      return text
    },
    errors: async (runId: string): Promise<string> => (await call('GET', `/v1/uploads/${runId}/errors`)).text,
    /** Records in the order of their making, by column key. */
    async records(listId: string): Promise<{ externalId: string | null; values: Record<string, unknown> }[]> {
      const rows = await db.$client<{ externalId: string | null; fields: string }[]>`
        select external_id as "externalId", fields::text as fields from records where list_id = ${listId} and removed_at is null order by id`
      return rows.map(({ externalId, fields }) => ({ externalId, values: JSON.parse(fields) }))
    },
    /** What is left of files that were sent. */
    async leftovers(): Promise<number> {
      const [row] = await db.$client<[{ n: number }]>`
        select ((select count(*) from uploads) + (select count(*) from upload_chunks))::int as n`
      return row.n
    },
    async expectCounted(listId: string, records: number): Promise<void> {
      const [row] = await db.$client<{ live: number; counted: number }[]>`
        select (select count(*)::int from records where list_id = l.id and removed_at is null) as live, record_count as counted
        from lists l where id = ${listId}`
      expect(row).toEqual({ live: records, counted: records })
    },
    async close(): Promise<void> {
      await app.close()
      await fairlead.close()
    },
  }
}
export type Uploads = Awaited<ReturnType<typeof addUploads>>

/** The whole of Fairlead with its API. */
export const openUploads = async (
  options: Parameters<typeof openFairlead>[0] = {},
  api: AppOptions = {},
): Promise<Uploads> => addUploads(await openFairlead({ leads: 1, contacts: 1, ...options }), api)

/** Every sum of an upload's ledger. */
export const expectBalanced = (run: Json, counts: Record<string, number>): void => {
  expect(run).toMatchObject({ state: 'succeeded', error: null, balance: { balanced: true } })
  const { read, created, updated, unchanged, skipped, rejected } = run.counts.upload
  expect(read).toBe(created + updated + unchanged + skipped + rejected)
  expect({ read, created, updated, unchanged, skipped, rejected }).toMatchObject(counts)
}

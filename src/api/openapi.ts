/** Writes docs/openapi.json: `npm run openapi`. A test keeps the file true. */
import { fastify } from 'fastify'
import { writeFileSync } from 'node:fs'
import { openDatabase } from '../db/database.ts'
import { createSecretBox } from '../db/secret.ts'
import type { Log } from '../log.ts'
import { buildApp } from './app.ts'

/** The document needs no service; the database is never asked. */
const db = openDatabase('postgres://nobody@127.0.0.1:1/none')
const app = await buildApp({
  db,
  secrets: createSecretBox(`none:${Buffer.alloc(32).toString('base64')}`),
  relay: async () => undefined,
  engineReady: async () => false,
  temporalUiUrl: 'http://127.0.0.1:8233',
  temporalNamespace: 'default',
  checkWebhookHost: () => undefined,
  mailConfigured: false,
  publicUrl: null,
  compileMessage: () => ({ render: () => ({ subject: '', html: '', text: '' }), placeholders: () => [] }),
  log: fastify().log as Log,
})
await app.ready()
const file = new URL('../../docs/openapi.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(app.swagger(), null, 2)}\n`)
await app.close()
await db.$client.end()

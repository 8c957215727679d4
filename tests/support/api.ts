import { randomBytes } from 'node:crypto'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { pino } from 'pino'
import { expect } from 'vitest'
import { buildApp, type AppOptions } from '../../src/api/app.ts'
import type { Services } from '../../src/api/services.ts'
import * as accounts from '../../src/db/account.ts'
import * as apiKeys from '../../src/db/apiKey.ts'
import { openDatabase, type Database } from '../../src/db/database.ts'
import { createSecretBox, type SecretBox } from '../../src/db/secret.ts'
import { compileMessage } from '../../src/mail/render.ts'
import { createHostGuard } from '../../src/http/host.ts'
import type { Role } from '../../src/domain/account.ts'
import { createDatabase } from './servers.ts'

export type Account = { id: string; keys: Record<Role, string> }

export type TestApi = {
  app: FastifyInstance
  db: Database
  secrets: SecretBox
  url: string
  /** called by the API instead of the workflow engine; a test may replace it */
  services: Services
  /** lines that the API logged */
  logged: string[]
  account: Account
  /** a second customer of the installation */
  stranger: Account
  call: (method: Method, url: string, options?: CallOptions) => Promise<Answer>
  newAccount: (name?: string) => Promise<Account>
  close: () => Promise<void>
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type CallOptions = { key?: string | null; body?: unknown; headers?: Record<string, string>; raw?: string | Buffer }
// oxlint-disable-next-line typescript/no-explicit-any -- tests look into whatever came back
export type Answer = { status: number; body: any; headers: LightMyRequestResponse['headers']; text: string }

/** The real API on a database of its own, with two accounts and a key of each role. */
export const openApi = async (options: AppOptions = {}, more: Partial<Services> = {}): Promise<TestApi> => {
  const database = await createDatabase()
  const db = openDatabase(database.url, { max: 6, name: 'tests' })
  const secrets = createSecretBox(`test:${randomBytes(32).toString('base64')}`)
  const logged: string[] = []
  const services: Services = {
    db,
    secrets,
    relay: async () => undefined,
    engineReady: async () => true,
    temporalUiUrl: 'http://127.0.0.1:8233',
    temporalNamespace: 'default',
    checkWebhookHost: createHostGuard('*'),
    mailConfigured: false,
    publicUrl: null,
    compileMessage,
    log: pino({ level: 'info' }, { write: (line: string) => void logged.push(line) }),
    ...more,
  }
  const shared: Services = {
    ...services,
    relay: () => services.relay(),
    engineReady: () => services.engineReady(),
  }
  const app = await buildApp(shared, { waitMs: 400, ...options })
  await app.ready()

  let count = 0
  const newAccount = async (name = `Account ${(count += 1)}`): Promise<Account> => {
    const { id } = await accounts.insert(db, secrets, { name })
    const make = async (role: Role) => (await apiKeys.insert(db, id, { name: role, role })).key
    return { id, keys: { viewer: await make('viewer'), marketer: await make('marketer'), admin: await make('admin') } }
  }
  const account = await newAccount()
  const stranger = await newAccount()

  const call = async (method: Method, url: string, { key, body, headers, raw }: CallOptions = {}): Promise<Answer> => {
    const authorization = key === null ? undefined : `Bearer ${key ?? account.keys.admin}`
    const request: InjectOptions = { method, url, headers: { ...(authorization ? { authorization } : {}), ...headers } }
    if (raw !== undefined) request.payload = raw
    else if (body !== undefined) request.payload = body as object
    const answer = await app.inject(request)
    const isJson = /json/.test(String(answer.headers['content-type'] ?? ''))
    const read = { status: answer.statusCode, headers: answer.headers, text: answer.body }
    const parsed: Answer = { ...read, body: isJson && answer.body !== '' ? answer.json() : undefined }
    if (parsed.status >= 400 && url.startsWith('/v1/')) {
      expectProblem(parsed)
      expectDocumented(app, method, url, parsed)
    }
    return parsed
  }
  const close = async () => {
    await app.close()
    await db.$client.end()
    await database.drop()
  }
  return { app, db, secrets, url: database.url, services, logged, account, stranger, call, newAccount, close }
}

/** Whatever fails, fails as a problem with a code, a sentence and a remedy (R25). */
export const expectProblem = (answer: Answer): void => {
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(answer.body).toMatchObject({
    status: answer.status,
    code: expect.any(String),
    title: expect.any(String),
    detail: expect.any(String),
    remedy: expect.any(String),
    requestId: expect.any(String),
    type: `/docs/problems#${answer.body.code}`,
  })
}

type Documented = {
  responses: Record<
    string,
    { $ref?: string; content?: Record<string, { schema: { allOf: { properties?: { code?: { enum: string[] } } }[] } }> }
  >
}
type Document = {
  paths: Record<string, Record<string, Documented>>
  components: { responses: Documented['responses'] }
}

/** Every code that a route answers stands in its description; a method that the address does not take is no route. */
const expectDocumented = (app: FastifyInstance, method: Method, url: string, { status, body }: Answer): void => {
  const { paths, components } = app.swagger() as unknown as Document
  const pathname = url.split('?')[0]!
  const path = Object.keys(paths).find((each) => new RegExp(`^${each.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathname))
  const operation = paths[path ?? '']?.[method.toLowerCase()]
  if (operation === undefined) return
  const said = operation.responses[status]
  const { content } =
    said?.$ref === undefined ? (said ?? {}) : (components.responses[said.$ref.split('/').at(-1)!] ?? {})
  const codes = content?.['application/problem+json']?.schema.allOf.flatMap((part) => part.properties?.code?.enum ?? [])
  expect(codes, `${method} ${path} answers ${status}`).toContain(body.code)
}

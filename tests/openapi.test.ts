import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { errorTable } from '../src/domain/errors.ts'
import { openApi, type TestApi } from './support/api.ts'

type Media = { schema?: unknown; example?: unknown; examples?: unknown }
type Body = { content?: Record<string, Media>; $ref?: string; description?: string }
type Operation = {
  summary?: string
  description?: string
  operationId: string
  tags?: string[]
  security?: unknown
  'x-role'?: string
  requestBody?: Body
  responses: Record<string, Body>
}
type Document = {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, Body>>
}

let api: TestApi
let document: Document
beforeAll(async () => {
  api = await openApi()
  document = (await api.call('GET', '/openapi.json', { key: null })).body
})
afterAll(() => api.close())

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
  )

/** Follows a reference into the components. */
const resolve = (body: Body): Body =>
  body.$ref === undefined ? body : document.components[body.$ref.split('/')[2]!]![body.$ref.split('/')[3]!]!

test('docs/openapi.json is what the API serves (npm run openapi writes it)', async () => {
  const file = await readFile(new URL('../docs/openapi.json', import.meta.url), 'utf8')
  expect(JSON.parse(file)).toEqual(document)
  expect(document.openapi).toBe('3.1.0')
})

test('what a line of a streamed body holds is described', () => {
  const { content } = document.paths['/v1/messages/{messageId}/deliveries']!['post']!.requestBody!
  for (const { schema } of Object.values(content!))
    expect(schema).toMatchObject({ contentSchema: { $ref: '#/components/schemas/DeliveryReport' } })
  expect(document.components['schemas']!['DeliveryReport']).toMatchObject({ required: ['id', 'sentAt'] })
})

test('every route has a summary, a tag, and an id of its own', () => {
  for (const { name, operation } of operations()) {
    expect(operation.summary, name).toMatch(/^\p{Lu}/u)
    expect(operation.tags, name).toHaveLength(1)
  }
  const ids = operations().map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
})

test('every route with a key says its role and its problems, each with the enum of its codes', () => {
  const keyed = operations().filter(({ path }) => path.startsWith('/v1/'))
  expect(keyed.length).toBeGreaterThan(25)
  for (const { name, operation } of keyed) {
    expect(operation.description, name).toContain(`Role: \`${operation['x-role']}\``)
    expect(operation.security, name).toEqual([{ apiKey: [] }])
    const failures = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400)
    expect(
      failures.map(([status]) => status),
      name,
    ).toEqual(expect.arrayContaining(['401', '403', '422']))
    for (const [status, response] of failures) {
      const media = resolve(response).content?.['application/problem+json'] as {
        schema: { allOf: { properties?: { code: { enum: string[] } } }[] }
      }
      const codes = media.schema.allOf.at(-1)!.properties!.code.enum
      for (const code of codes)
        expect(errorTable[code as keyof typeof errorTable].status, `${name} ${code}`).toBe(Number(status))
    }
  }
})

test('descriptions name no rules or capabilities, which readers of the API cannot look up', () => {
  const texts = [document.components, ...operations().map(({ operation }) => operation)]
  expect(JSON.stringify(texts).match(/[^"]*\([A-Z]\d{1,2}(, [A-Z]\d{1,2})*\)[^"]*/g)).toBeNull()
})

test('every body and every answer has an example', () => {
  for (const { name, path, operation } of operations()) {
    if (path === '/metrics') continue
    const bodies = Object.entries(operation.responses).filter(([status]) => status !== '204')
    const media = [...bodies.map(([, body]) => body), ...(operation.requestBody ? [operation.requestBody] : [])]
      .map(resolve)
      .flatMap(({ content }) => Object.values(content ?? {}))
    expect(media.length, name).toBeGreaterThanOrEqual(bodies.length)
    for (const each of media) expect(each.example ?? each.examples, name).toBeDefined()
  }
})

test('every example of a request is accepted by its own route', async () => {
  for (const { name, path, operation } of operations()) {
    const body = operation.requestBody?.content?.['application/json']?.example
    if (body === undefined || path.includes('{')) continue
    const { keys } = await api.newAccount()
    const [method] = name.split(' ')
    const answer = await api.call(method!.toUpperCase() as 'POST', path, { key: keys.admin, body })
    expect([name, answer.body?.code === 'invalidInput']).toEqual([name, false])
  }
})

test('every reference leads somewhere, and every component is used', () => {
  const text = JSON.stringify(document)
  const used = new Set([...text.matchAll(/"#\/components\/(\w+)\/(\w+)"/g)].map((match) => `${match[1]}/${match[2]}`))
  for (const reference of used) {
    const [kind, name] = reference.split('/') as [string, string]
    expect(document.components[kind]?.[name], reference).toBeDefined()
  }
  for (const name of Object.keys(document.components['schemas']!)) expect(used).toContain(`schemas/${name}`)
})

import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { RouteOptions } from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { STATUS_CODES } from 'node:http'
import { errorTable, type ErrorCode } from '../domain/errors.ts'
import { NoBody } from './strict.ts'

type Json = Record<string, unknown>

const description = `Joins marketing lists with Infor CRM.

Every request needs \`Authorization: Bearer <API key>\`. A key has the role \`viewer\`, \`marketer\` or \`admin\`; each may do what the ones before it may.
Failures are problems (RFC 9457) with a stable \`code\`, one sentence about the cause and one about the remedy.
What is not valid HTTP, or comes too slowly, is refused before any route with \`malformedRequest\`, \`headersTooLarge\` or \`requestTimeout\`.
Collections are pages: \`items\`, and \`nextCursor\` to go on with. Unknown properties are refused.`

/** Every route with a key can answer these. */
const always: ErrorCode[] = [
  'unauthenticated',
  'keyRevoked',
  'keyExpired',
  'forbidden',
  'tooManyRequests',
  'internal',
  'overloaded',
  'databaseUnavailable',
]

/** The codes that a route can answer, from what it takes and what it names itself. */
export const codesOf = ({ schema, config, url }: Pick<RouteOptions, 'schema' | 'config' | 'url'>): ErrorCode[] => {
  if (config?.role === undefined) return []
  const takesBody = schema?.body !== undefined && schema.body !== NoBody
  return [
    ...new Set<ErrorCode>([
      ...always,
      'invalidInput',
      ...(url.includes(':') ? (['notFound'] as const) : []),
      ...(takesBody ? (['invalidJson', 'bodyTooLarge', 'unsupportedMediaType'] as const) : []),
      ...(config.problems ?? []),
    ]),
  ]
}

/** More codes than these make no good name. */
const mostShared = 4

/** Problems by status. The same few stand under every route, so those are components. */
const problemResponses = ({ components }: Document, codes: ErrorCode[]): Record<string, Json> => {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { status } = errorTable[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const inOrder = [...byStatus].sort(([a], [b]) => a - b)
  return Object.fromEntries(
    inOrder.map(([status, some]) => {
      if (some.length > mostShared) return [status, problemResponse(some)]
      const name = some.join('_')
      components.responses = { ...components.responses, [name]: problemResponse(some) }
      return [status, { $ref: `#/components/responses/${name}` }]
    }),
  )
}

const problemResponse = (codes: ErrorCode[]): Json => ({
  description: codes.map((code) => `\`${code}\`: ${errorTable[code].title}`).join('\n\n'),
  content: {
    'application/problem+json': {
      schema: {
        allOf: [{ $ref: '#/components/schemas/Problem' }, { type: 'object', properties: { code: { enum: codes } } }],
      },
      examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
    },
  },
})

const problemExample = (code: ErrorCode): Json => {
  const { title, status, remedy } = errorTable[code]
  return { type: `/docs/problems#${code}`, title, status, detail: title, code, remedy, requestId: 'req-1' }
}

type Media = { schema?: Json; example?: unknown; examples?: unknown }
type Response = { description: string; content?: Record<string, Media> }
type Operation = Json & {
  responses: Record<string, Response>
  requestBody?: { content: Record<string, Media> }
  'x-problems'?: ErrorCode[]
}
type Document = Json & {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Json & { examples?: unknown[] }>; examples?: Json; responses?: Json }
}

/** Tools show an example beside the operation only when it stands there, so the one of the component is copied. */
const showExamples = ({ components }: Document, operation: Operation): void => {
  const answers = Object.values(operation.responses).flatMap(({ content }) => Object.values(content ?? {}))
  for (const media of [...answers, ...Object.values(operation.requestBody?.content ?? {})]) {
    const name =
      String(media.schema?.['$ref'] ?? '')
        .split('/')
        .at(-1) ?? ''
    const example =
      components.schemas[name]?.examples?.[0] ?? (media.schema?.['examples'] as unknown[] | undefined)?.[0]
    if (media.example === undefined && media.examples === undefined && example !== undefined) media.example = example
  }
}

/** The generator writes each schema twice, as `Input` and as output; what nothing refers to goes. */
const prune = (document: Document): Document => {
  const schemas = document.components.schemas
  const used = new Set<string>()
  const visit = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (used.has(name)) continue
      used.add(name)
      visit(schemas[name] ?? null)
    }
  }
  visit([document.paths, document.components.responses])
  const isSame = (a: string, b: string) => JSON.stringify(schemas[a]) === JSON.stringify(schemas[b])
  const short = (name: string) => {
    const base = name.replace(/Input$/, '')
    return !used.has(base) || isSame(name, base) ? base : name
  }
  const kept = [...used].map((name) => [short(name), schemas[name] ?? {}] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  document.components.schemas = Object.fromEntries(kept)
  const text = JSON.stringify(document)
  return JSON.parse(
    text.replaceAll(/#\/components\/schemas\/(\w+)/g, (_, name: string) => `#/components/schemas/${short(name)}`),
  )
}

/** `GET /v1/lists/{listId}/runs` → `getListsRunsByListId` */
const operationId = (method: string, path: string): string => {
  const parts = path.split('/').filter((part) => part !== '' && part !== 'v1')
  const names = parts.map((part) => (part.startsWith('{') ? `By-${part.slice(1, -1)}` : part))
  const ordered = [
    ...names.filter((name) => !name.startsWith('By-')),
    ...names.filter((name) => name.startsWith('By-')),
  ]
  return (
    method +
    ordered.map((name) => name.replaceAll(/(^|-)(\w)/g, (_, _dash, first: string) => first.toUpperCase())).join('')
  )
}

const complete = (document: Document): Document => {
  document.components.examples = Object.fromEntries(
    (Object.keys(errorTable) as ErrorCode[]).map((code) => [code, { value: problemExample(code) }]),
  )
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      operation['operationId'] = operationId(method, path)
      for (const [status, response] of Object.entries(operation.responses)) {
        if (response.description === 'Default Response') response.description = STATUS_CODES[status] ?? ''
      }
      showExamples(document, operation)
      Object.assign(operation.responses, problemResponses(document, operation['x-problems'] ?? []))
      delete operation['x-problems']
    }
  }
  return prune(document)
}

export const documentOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: { title: 'Fairlead', version: '1', description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
  },
  transform: (input) => {
    const { schema, url } = jsonSchemaTransform({ ...input, schema: withoutEmptyBody(input.schema) } as typeof input)
    const role = input.route.config?.role
    if (schema === undefined || role === undefined) return { schema, url }
    const about = { security: [{ apiKey: [] }], 'x-role': role, 'x-problems': codesOf(input.route) }
    const described = [schema.description, `Role: \`${role}\`.`].filter((part) => part !== undefined).join('\n\n')
    return { schema: { ...schema, ...about, description: described }, url }
  },
  transformObject: (input) =>
    complete(jsonSchemaTransformObject(input) as unknown as Document) as unknown as ReturnType<
      typeof jsonSchemaTransformObject
    >,
}

const withoutEmptyBody = <Schema extends { body?: unknown } | undefined>(schema: Schema): Schema => {
  if (schema?.body !== NoBody) return schema
  const { body: _, ...rest } = schema
  return rest as Schema
}

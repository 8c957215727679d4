import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Budget, Crm, CrmField, FieldType } from '../../src/domain/crm.ts'
import { isFairleadError, type FairleadError } from '../../src/domain/errors.ts'
import { sdataConnector } from '../../src/sdata/connector.ts'
import { unlimitedBudget } from '../../src/sdata/pace.ts'

export type Seen = {
  method: string
  url: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: string
}
export type Reaction = {
  status?: number
  headers?: Record<string, string | string[]>
  body?: string | Buffer
  json?: unknown
  drop?: boolean
}

/** A tiny CRM of the test's own, for bytes that no well-behaved server sends. Without an answer from `react` it says 404 in HTML. */
export const tinyServer = async (react: (seen: Seen) => Reaction | undefined | Promise<Reaction | undefined>) => {
  const requests: Seen[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://tiny')
    const seen: Seen = {
      method: request.method ?? '',
      url: request.url ?? '',
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
    }
    requests.push(seen)
    const reaction = (await react(seen)) ?? {
      status: 404,
      headers: { 'content-type': 'text/html' },
      body: '<html><title>Not here</title></html>',
    }
    if (reaction.drop) {
      request.socket.destroy()
      return
    }
    const json = reaction.json === undefined ? undefined : JSON.stringify(reaction.json)
    response.writeHead(reaction.status ?? 200, { 'content-type': 'application/json', ...reaction.headers })
    response.end(json ?? reaction.body ?? '')
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}`, root: `http://127.0.0.1:${port}/sdata`, port, requests }
}

type Opening = { username?: string; password?: string; timeoutMs?: number; allowedHosts?: string; budget?: Budget }

export const openCrm = (
  url: string,
  { username = 'admin', password = '', timeoutMs = 5000, allowedHosts = '*', budget = unlimitedBudget() }: Opening = {},
): Crm => {
  const crm = sdataConnector({ timeoutMs, allowedHosts, quickRetryMs: [1, 2] }).open(
    { connectionId: 'c1', url, username, password },
    budget,
  )
  onTestFinished(() => crm.close())
  return crm
}

export const field = (name: string, type: FieldType = 'text', more: Partial<CrmField> = {}): CrmField => ({
  name,
  label: name,
  type,
  maxLength: null,
  custom: false,
  readOnly: false,
  required: false,
  locked: false,
  address: name.startsWith('Address/'),
  picklist: null,
  picklistStorage: null,
  ...more,
})

export const basics = [field('Email', 'email'), field('FirstName'), field('LastName')]

export const open = { after: null, upTo: null }

/** The FairleadError that a promise ends with. */
export const failure = async (promise: Promise<unknown>): Promise<FairleadError> => {
  try {
    await promise
  } catch (error) {
    if (isFairleadError(error)) return error
    throw error
  }
  throw new Error('It was expected to fail.')
}

export const feed = (rows: object[], more: object = {}) => ({
  $totalResults: rows.length,
  $itemsPerPage: 100,
  $resources: rows,
  ...more,
})

/** Reads a whole entity page by page. */
export const readAll = async (crm: Crm, entity: 'lead' | 'contact', fields: CrmField[]) => {
  const people = []
  const unreadable: string[] = []
  const warnings = []
  for (let after: string | null = null; ;) {
    const page = await crm.people(entity, fields, { after, upTo: null })
    people.push(...page.rows)
    unreadable.push(...page.unreadable.map(({ id }) => id))
    warnings.push(...page.warnings)
    if (page.next === null) return { people, unreadable, warnings }
    after = page.next
  }
}

/** Stands before another server; what `react` does not answer is passed on, a dropped connection too. */
export const standBefore = (url: string, react: (seen: Seen) => Reaction | undefined | Promise<Reaction | undefined>) =>
  tinyServer(async (seen) => {
    const own = await react(seen)
    if (own) return own
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = seen.headers
    const reply = await fetch(url + seen.url, {
      method: seen.method,
      headers: { ...(headers as Record<string, string>), 'accept-encoding': 'identity' },
      ...(['POST', 'PUT'].includes(seen.method)
        ? { body: seen.body.replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, url) }
        : {}),
    }).catch(() => null)
    const body = await reply?.arrayBuffer().catch(() => null)
    if (!reply || !body) return { drop: true }
    return {
      status: reply.status,
      headers: {
        'content-type': reply.headers.get('content-type') ?? '',
        'set-cookie': reply.headers.getSetCookie(),
        date: reply.headers.get('date') ?? '',
      },
      body: Buffer.from(body),
    }
  })

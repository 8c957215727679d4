import type { FastifyInstance } from 'fastify'
import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { FairleadError, type ErrorCode } from '../domain/errors.ts'
import type { Log } from '../log.ts'
import { problemOf } from './errors.ts'

const codes: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headersTooLarge',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'bodyTooLarge',
  ERR_HTTP_REQUEST_TIMEOUT: 'requestTimeout',
}

/** Answers what Node refuses before it is a request, and ends the connection: nobody knows where a next request would begin. */
export const refuseBroken = (log: Log, { code }: NodeJS.ErrnoException, socket: Socket): void => {
  if (code === 'ECONNRESET' || socket.destroyed) return
  const error = new FairleadError(codes[code ?? ''] ?? 'malformedRequest')
  const requestId = randomUUID()
  log.info({ status: error.status, code: error.code, requestId }, 'answered')
  const body = JSON.stringify(problemOf(error, requestId))
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `date: ${new Date().toUTCString()}`,
    `x-request-id: ${requestId}`,
    'x-content-type-options: nosniff',
    'cache-control: no-store',
    'connection: close',
  ]
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroySoon()
}

/** The two refusals that Node answers with a status alone. An expectation that nobody knows may be passed over (RFC 9110, 10.1.1). */
export const refuseBrokenHeaders = (app: FastifyInstance): void => {
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.addHook('onRequest', async ({ headers, raw }) => {
    if (headers.host !== undefined || raw.httpVersion === '1.0') return
    throw new FairleadError('malformedRequest', { detail: 'The header Host is missing.' })
  })
}

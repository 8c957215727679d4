import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A status to answer, a connection that is dropped, or an address to send the caller to. */
export type Turn = number | 'drop' | `http${string}`
export type Call = { path: string; headers: IncomingHttpHeaders; body: string }
export type Receiver = Awaited<ReturnType<typeof openReceiver>>

/** Somebody else's server that takes webhooks: it plays `turns`, then answers 204. */
export const openReceiver = async (...turns: Turn[]) => {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += String(part)
    })
    request.on('end', () => {
      calls.push({ path: request.url!, headers: request.headers, body })
      const turn = turns.shift() ?? 204
      if (turn === 'drop') request.socket.destroy()
      else if (typeof turn === 'number') response.writeHead(turn).end('never to be kept')
      else response.writeHead(307, { location: turn }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    turns,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  }
}

/** As a receiver would: the signature, with this secret, of exactly these bytes. */
export const isSigned = ({ headers, body }: Call, secret: string): boolean => {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const own = `v1,${createHmac('sha256', key).update(text).digest('base64')}`
  const age = Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp']))
  return age < 60 && String(headers['webhook-signature']).split(' ').includes(own)
}

type Told = { type: string; data: { kind: string; state: string; subject: { id: string; name: string | null } } }
export const toldOf = ({ body }: Call): Told => JSON.parse(body) as Told

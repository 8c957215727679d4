import { createServer, type AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

/** What the server does with a mail: a status to refuse it with, at its recipient or after its body; silence; a connection that it drops. */
type Turn =
  | { at: 'rcpt' | 'data'; answer: string }
  | { at: 'data'; do: 'drop' | 'dropBefore' | 'hang' }
  | { at: 'data'; waitMs: number }

export type Received = { to: string; raw: Buffer }
export type MailServer = Awaited<ReturnType<typeof openMailServer>>

const refusal = (answer: string): Error & { responseCode?: number } =>
  Object.assign(new Error(answer.replace(/^\d{3} /, '')), { responseCode: Number(answer.slice(0, 3)) })

/** A real SMTP server. `turns` says by address what it does once, or for ever with `always`. */
export const openMailServer = async ({ port = 0, password }: { port?: number; password?: string } = {}) => {
  const received: Received[] = []
  const turns = new Map<string, Turn[]>()
  const always = new Map<string, Turn>()
  let waitMs = 0
  let most = 0
  let now = 0
  const turnOf = (to: string, at: Turn['at']): Turn | undefined => {
    const next = turns.get(to)?.[0]
    if (next?.at === at) return turns.get(to)!.shift()
    return always.get(to)?.at === at ? always.get(to) : undefined
  }
  const server = new SMTPServer({
    authOptional: password === undefined,
    disabledCommands: ['STARTTLS', ...(password === undefined ? ['AUTH'] : [])],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    closeTimeout: 100,
    onAuth: (auth, _session, done) =>
      auth.password === password ? done(null, { user: 'us' }) : done(refusal('535 5.7.8 never to be kept')),
    onRcptTo: ({ address }, _session, done) => {
      const turn = turnOf(address, 'rcpt')
      return turn !== undefined && 'answer' in turn ? done(refusal(turn.answer)) : done()
    },
    onData: (stream, session, done) => {
      const parts: Buffer[] = []
      const to = session.envelope.rcptTo[0]!.address
      const turn = turnOf(to, 'data')
      now += 1
      most = Math.max(most, now)
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        const keep = (): void => void received.push({ to, raw: Buffer.concat(parts) })
        const end = (error?: Error): void => {
          now -= 1
          if (error === undefined) done()
          else done(error)
        }
        if (turn === undefined || 'waitMs' in turn) {
          keep()
          setTimeout(end, turn === undefined ? waitMs : turn.waitMs)
        } else if ('answer' in turn) end(refusal(turn.answer))
        else {
          if (turn.do !== 'dropBefore') keep()
          now -= 1
          if (turn.do !== 'hang')
            for (const each of server.connections as Set<{ session: { id: string }; _socket: { destroy: () => void } }>)
              if (each.session.id === session.id) each._socket.destroy()
        }
      })
    },
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: own } = server.server.address() as AddressInfo
  return {
    port: own,
    url: `smtp://${password === undefined ? '' : `us:${password}@`}127.0.0.1:${own}`,
    received,
    turns,
    always,
    /** how long each mail takes from now on */
    slow: (ms: number) => void (waitMs = ms),
    /** so many mails were under way at once */
    most: () => most,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

/** A port that nobody has at this moment. */
export const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

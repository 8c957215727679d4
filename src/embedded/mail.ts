import { randomBytes } from 'node:crypto'
import { createWriteStream, mkdirSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { callbackify } from 'node:util'
import { SMTPServer } from 'smtp-server'
import { claimPort } from './port.ts'

export type MailSink = { url: string; port: number; dir: string; stop: () => Promise<void> }

/** An SMTP server on 127.0.0.1 that accepts every mail and keeps it, byte for byte, as `<time>-<random>.eml` in `dir`. */
export const startMailSink = async ({ dir, port: wanted }: { dir: string; port?: number }): Promise<MailSink> => {
  const folder = resolve(dir)
  mkdirSync(folder, { recursive: true })
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onData: (stream, _session, done) => {
      callbackify(store)(stream, folder, done)
    },
  })
  const port = await claimPort(wanted, 'the mail sink')
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  // Without a listener, a client that hangs up in the middle would end the process.
  server.on('error', () => undefined)
  const stop = () => new Promise<void>((resolve) => server.close(resolve))
  return { url: `smtp://127.0.0.1:${port}`, port, dir: folder, stop }
}

const store = async (mail: NodeJS.ReadableStream, folder: string) => {
  const name = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${randomBytes(4).toString('hex')}.eml`
  const draft = join(folder, `.${name}`)
  await pipeline(mail, createWriteStream(draft, { mode: 0o600 }))
  await rename(draft, join(folder, name))
}

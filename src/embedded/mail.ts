import { callbackify } from 'node:util'
import { SMTPServer } from 'smtp-server'
import { claimPort } from './port.ts'
import { openMailbox } from './mailbox.ts'
import { startMailPage } from './mailPage.ts'

export type MailSink = { url: string; port: number; pageUrl: string; dir: string; stop: () => Promise<void> }

/** `port`, `pagePort`: any free one when missing. `most`: mails that are kept; the oldest go. */
type Options = { dir: string; port?: number; pagePort?: number; most?: number }

/**
 * An SMTP server on 127.0.0.1 that accepts every mail and keeps it, byte for byte, as `<time>-<random>.eml` in `dir`, and a page beside it that shows
 * them.
 */
export const startMailSink = async ({ dir, port: wanted, pagePort, most = 10_000 }: Options): Promise<MailSink> => {
  const mailbox = await openMailbox(dir, most)
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onData: (stream, _session, done) => {
      callbackify((mail: NodeJS.ReadableStream) => mailbox.store(mail))(stream, done)
    },
  })
  const port = await claimPort(wanted, 'the mail sink')
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  // Without a listener, a client that hangs up in the middle would end the process.
  server.on('error', () => undefined)
  const page = await startMailPage(mailbox, pagePort)
  const stop = async () => {
    await page.stop()
    await new Promise<void>((resolve) => server.close(resolve))
  }
  return { url: `smtp://127.0.0.1:${port}`, port, pageUrl: page.url, dir: mailbox.folder, stop }
}

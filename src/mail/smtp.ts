import { createTransport } from 'nodemailer'
import type { Readable } from 'node:stream'
import type { HandOver, Mail, MailServer } from '../domain/delivery.ts'

type Options = {
  smtpUrl: string
  connections: number
  /** mails of this process; 0: as many as the server takes */
  ratePerSecond: number
  /** without a word of the server */
  timeoutMs: number
}

type SmtpError = { code?: string; command?: string; responseCode?: number; response?: string }

const connectMs = 30_000
/** A server may close a connection after so many mails; we do so before it does. */
const mailsPerConnection = 500

const enhancedCode = (response = ''): string | null => /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1] ?? null

/** RFC 3463: no such mailbox, no such host, bad address, moved away, null MX; mailbox disabled. */
const deadCodes = /^5\.(1\.([012346]|10)|2\.1)$/
/** What servers without enhanced codes say of a mailbox that does not exist. */
const deadStatuses: ReadonlySet<number> = new Set([550, 551, 553])

const isDead = (status: number, code: string | null, command: string | undefined): boolean => {
  if (command !== 'RCPT TO') return false
  return code === null ? deadStatuses.has(status) : deadCodes.test(code)
}

/** `wasRead`: the server had begun to take the mail itself. */
const fateOf = ({ code, command, responseCode, response }: SmtpError, wasRead: boolean): HandOver => {
  if (code === 'EAUTH') return { fate: 'stopped', trouble: 'mailLoginRefused', status: responseCode ?? null }
  const isOfMail = code === 'EENVELOPE' || code === 'EMESSAGE'
  if (responseCode === undefined || responseCode === 421 || !isOfMail)
    return wasRead && responseCode === undefined
      ? { fate: 'unknown' }
      : { fate: 'stopped', trouble: 'mailUnreachable', status: responseCode ?? null }
  if (command === 'MAIL FROM' && responseCode >= 500)
    return { fate: 'stopped', trouble: 'mailSenderRefused', status: responseCode }
  const enhanced = enhancedCode(response)
  const dead = isDead(responseCode, enhanced, command)
  return { fate: 'refused', status: responseCode, code: enhanced, isPermanent: responseCode >= 500, isDead: dead }
}

/**
 * Base64 on purpose: what a receiver decodes are exactly our bytes, and no line is too long. The text has no such promise, and filters think less of it in
 * base64. `Precedence: bulk` keeps answers of absent people away.
 */
const mimeOf = ({ deliveryId, to, from, replyTo, content, unsubscribeUrl, isTest }: Mail) => ({
  from: { name: from.name, address: from.email },
  to: { name: '', address: to },
  ...(replyTo !== null && { replyTo }),
  subject: content.subject,
  text: { content: Buffer.from(content.text), contentTransferEncoding: 'quoted-printable' as const },
  html: { content: Buffer.from(content.html), contentTransferEncoding: 'base64' as const },
  messageId: `<${deliveryId}@${from.email.split('@').at(-1)}>`,
  headers: {
    'List-Unsubscribe': { prepared: true, value: `<${unsubscribeUrl}>` },
    'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
    Precedence: 'bulk',
    ...(isTest === true && { 'X-Fairlead-Test': 'yes' }),
  },
})

type Watched = { onStream?: (stream: Readable) => void }

/** Hands mails to the SMTP server over a few connections that stay open. */
export const openSmtp = (options: Options): MailServer & { close: () => void } => {
  const { smtpUrl, connections, ratePerSecond, timeoutMs } = options
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: connections,
    maxMessages: mailsPerConnection,
    ...(ratePerSecond > 0 && { rateLimit: ratePerSecond, rateDelta: 1000 }),
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    dnsTimeout: connectMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  transport.use('stream', (mail, done) => {
    const { message, data } = mail
    const create = message.createReadStream.bind(message)
    message.createReadStream = (...given: Parameters<typeof create>) => {
      const stream = create(...given)
      ;(data as Watched).onStream?.(stream)
      return stream
    }
    done()
  })
  return {
    connections,
    async send(mail) {
      let stream: Readable | undefined
      const watched: Watched = { onStream: (each) => (stream = each) }
      try {
        const { response } = await transport.sendMail({ ...mimeOf(mail), ...watched })
        return { fate: 'accepted', status: Number(response.slice(0, 3)), code: enhancedCode(response) }
      } catch (error) {
        return fateOf(error as SmtpError, stream?.readableDidRead === true)
      }
    },
    close: () => transport.close(),
  }
}

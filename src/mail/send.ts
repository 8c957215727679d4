import { createTransport } from 'nodemailer'
import type { AttemptError, SendMail } from '../domain/alert.ts'
import { alertMail } from './alert.ts'

type Options = { smtpUrl: string; from: string; publicUrl?: string }

const timeoutMs = 10_000

/** The server's own words may repeat an address; only its status goes on. */
const kindOf = ({ code = '', responseCode }: { code?: string; responseCode?: number }): AttemptError => {
  if (responseCode !== undefined || code === 'EAUTH' || code === 'EENVELOPE') return 'mailRefused'
  if (code === 'ETIMEDOUT') return 'timeout'
  return code === 'ETLS' ? 'certificate' : 'unreachable'
}

/** Hands mails about alerts to the SMTP server. Its Message-ID names the delivery, so that a mail that was sent twice is shown once. */
export const openMail = ({ smtpUrl, from, publicUrl }: Options): { send: SendMail; close: () => void } => {
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: 2 * timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const domain = /@([\w.-]+)/.exec(from)?.[1] ?? 'fairlead'
  return {
    async send({ to, id, alert }) {
      try {
        await transport.sendMail({
          from,
          to,
          ...alertMail(alert, publicUrl),
          messageId: `<${id}@${domain}>`,
          headers: { 'Auto-Submitted': 'auto-generated' },
        })
        return { status: 250, error: null }
      } catch (error) {
        const { responseCode } = error as { responseCode?: number }
        return { status: responseCode ?? null, error: kindOf(error as { code?: string; responseCode?: number }) }
      }
    },
    close: () => transport.close(),
  }
}

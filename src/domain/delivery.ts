/**
 * `waiting`: in the audience. `sending`: marked before it is handed over. `accepted`: the mail server took it. `rejected`: it did not, or the mail could not
 * be made. `skipped`: not mailed, `code` says why. `unknown`: nobody knows whether it was taken. `bounced`: taken, and came back for good.
 */
export const deliveryStates = ['waiting', 'sending', 'accepted', 'rejected', 'skipped', 'unknown', 'bounced'] as const
export type DeliveryState = (typeof deliveryStates)[number]

/** Why nobody is mailed at an address (R34), and counted by it. */
export const skipReasons = [
  'noEmail',
  'invalidEmail',
  'duplicateAddress',
  'suppressed',
  'optedOut',
  'erased',
  'recordRemoved',
  'messageCancelled',
] as const
export type SkipReason = (typeof skipReasons)[number]

/** `permanent`: the address does not take mail, and is suppressed. `transient`: this mail came back, another may arrive. */
export type BounceKind = 'permanent' | 'transient'

/** What the mail server, or another sender, said of a bounce; `status` is an enhanced status code (RFC 3463). Never the text, which may hold the address. */
export type Bounce = { kind: BounceKind; status: string | null; at: string }

/**
 * R31, R32: `waiting`: to be made. `creating`: the request is out. `written`: in the CRM. `skipped`: none is made, `code` says why. `rejected`: needs a person.
 * `held`: waits for the connection.
 */
export const noteStates = ['waiting', 'creating', 'written', 'skipped', 'rejected', 'held'] as const
export type NoteState = (typeof noteStates)[number]

/** How long it is kept who looked at a preview. */
export const viewDays = 365

/** R33: when the preview of a mail that was sent then goes, so many months later, in UTC; the 31st becomes the last day of a shorter month. */
export const previewExpiry = (sentAt: Date, months: number): Date => {
  const first = new Date(sentAt)
  first.setUTCDate(1)
  first.setUTCMonth(first.getUTCMonth() + months)
  const days = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
  first.setUTCDate(Math.min(sentAt.getUTCDate(), days))
  return first
}

/** What was sent, character for character. */
export type Content = { subject: string; html: string; text: string }

/** One mail as it is handed over. Its Message-ID is made of the delivery, so that a mail that was sent twice is shown once. */
export type Mail = {
  deliveryId: string
  to: string
  from: { name: string; email: string }
  replyTo: string | null
  content: Content
  unsubscribeUrl: string
  /** marked as a test in its head */
  isTest?: boolean
}

/** What stops everybody: the mail server cannot be reached, does not let us in, or does not take mail from this sender. */
export type MailTrouble = 'mailUnreachable' | 'mailLoginRefused' | 'mailSenderRefused'

/**
 * What the mail server said. `status` is that of SMTP, `code` the enhanced status code (RFC 3463); its words are never kept. `isDead`: the address takes no
 * mail. `stopped`: nothing of the mail went out, and nothing will for now. `unknown`: the mail went out, and no answer came.
 */
export type HandOver =
  | { fate: 'accepted'; status: number; code: string | null }
  | { fate: 'refused'; status: number; code: string | null; isPermanent: boolean; isDead: boolean }
  | { fate: 'stopped'; trouble: MailTrouble; status: number | null }
  | { fate: 'unknown' }

export type MailServer = {
  /** how many mails may be under way at once */
  connections: number
  send: (mail: Mail) => Promise<HandOver>
}

/** Seconds until a mail is tried again that the server did not take for now, about a day in all. */
export const mailRetrySeconds = [60, 300, 900, 1800, 3600, 3600, 7200, 7200, 10_800, 14_400, 14_400, 18_000]

/** Mails have line feeds only: a mail program may make of anything else what it likes, and then the preview would differ. */
export const withPlainLines = ({ subject, html, text }: Content): Content => ({
  subject,
  html: html.replaceAll(/\r\n?/g, '\n'),
  text: text.replaceAll(/\r\n?/g, '\n'),
})

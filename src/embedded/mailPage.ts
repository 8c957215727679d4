import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { simpleParser, type ParsedMail } from 'mailparser'
import type { Mailbox } from './mailbox.ts'
import { listHtml, mailHtml, missingHtml, style, type Line } from './mailHtml.ts'
import { claimPort } from './port.ts'

const perPage = 50

const common = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' }
/** Nothing but our own style, and our own frame: a mail in it can lead nowhere. */
const pagePolicy = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'"
/** No script, no request to anywhere; pictures only if they are in the mail itself. */
const mailPolicy =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'"

type Answer = { status?: number; type: string; body: string | Buffer; headers?: Record<string, string> }

const page = (body: string, status = 200): Answer => ({
  status,
  type: 'text/html; charset=utf-8',
  body,
  headers: { 'content-security-policy': pagePolicy, 'x-frame-options': 'DENY' },
})

const download = (body: Buffer, type: string, name: string): Answer => ({
  type,
  body,
  headers: {
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name.toWellFormed())}`,
    'content-security-policy': mailPolicy,
  },
})

const addressOf = (to: ParsedMail['to']): string =>
  [to ?? []]
    .flat()
    .map(({ text }) => text)
    .join(', ')

const lineOf = async (mailbox: Mailbox, name: string): Promise<Line> => {
  const { subject, to, from, date } = await simpleParser(await mailbox.head(name))
  return { name, subject: subject ?? '', to: addressOf(to), from: from?.text ?? '', date: date ?? null }
}

const parse = async (mailbox: Mailbox, name: string): Promise<ParsedMail> =>
  simpleParser(await mailbox.read(name), { skipTextToHtml: true, skipHtmlToText: true })

const list = async (mailbox: Mailbox, before: string | undefined): Promise<Answer> => {
  const names = mailbox.page(perPage + 1, before)
  const lines = await Promise.all(names.slice(0, perPage).map((name) => lineOf(mailbox, name)))
  const older = names.length > perPage ? names[perPage - 1] : undefined
  return page(listHtml({ lines, count: mailbox.count(), older, isFirst: before === undefined }))
}

const part = async (
  mailbox: Mailbox,
  name: string,
  what: string | undefined,
  n: string | undefined,
): Promise<Answer> => {
  if (what === 'raw') return download(await mailbox.read(name), 'message/rfc822', name)
  const mail = await parse(mailbox, name)
  if (what === undefined) return page(mailHtml(name, mail, addressOf(mail.to)))
  if (what === 'html' && typeof mail.html === 'string')
    return { type: 'text/html; charset=utf-8', body: mail.html, headers: { 'content-security-policy': mailPolicy } }
  const attachment = what === 'attachments' ? mail.attachments[Number(n)] : undefined
  if (attachment === undefined) return page(missingHtml(), 404)
  return download(attachment.content, 'application/octet-stream', attachment.filename || `attachment ${Number(n) + 1}`)
}

/** `/`, `/mails/<name>` and its `/html`, `/raw`, `/attachments/<n>`. */
const route = async (mailbox: Mailbox, url: URL): Promise<Answer> => {
  if (url.pathname === '/') return list(mailbox, url.searchParams.get('before') ?? undefined)
  if (url.pathname === '/style.css') return { type: 'text/css', body: style }
  const [, mails, name = '', what, n, ...rest] = url.pathname.split('/')
  if (mails !== 'mails' || !mailbox.has(name) || rest.length > 0) return page(missingHtml(), 404)
  return part(mailbox, name, what, n)
}

/** Another site cannot read mails by a name of its own that leads here. */
const isLocal = ({ headers }: IncomingMessage): boolean =>
  /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(headers.host ?? '')

const answer = async (mailbox: Mailbox, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const found =
    isRead && isLocal(request)
      ? await route(mailbox, new URL(request.url ?? '/', 'http://127.0.0.1'))
      : page(missingHtml(), 404)
  const { status = 200, type, body, headers } = found
  response.writeHead(status, { ...common, 'content-type': type, ...headers })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** The page of the mail sink, on 127.0.0.1: what is shown of a mail cannot run, load or send anything. */
export const startMailPage = async (
  mailbox: Mailbox,
  wanted?: number,
): Promise<{ url: string; stop: () => Promise<void> }> => {
  const server = createServer((request, response) => {
    answer(mailbox, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500, common)
      response.end()
    })
  })
  const port = await claimPort(wanted, 'the page of the mail sink')
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, stop }
}

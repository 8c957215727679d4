import type { ParsedMail } from 'mailparser'
import { escapeHtml } from '../domain/html.ts'

export type Line = { name: string; subject: string; to: string; from: string; date: Date | null }

export const style = `
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
a { color: LinkText; } a:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
ol { list-style: none; margin: 0; padding: 0; }
.mails li { border-top: 1px solid GrayText; padding: .5rem 0; }
.mails a { font-weight: 600; } .mails p { margin: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; }
nav { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; padding: .75rem 0; }
nav a, .files a { display: inline-block; padding: .3rem 0; }
dl { display: grid; grid-template-columns: minmax(4rem, auto) 1fr; gap: .2rem 1rem; margin: 0; } dt { font-weight: 600; } dd { margin: 0; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
iframe { width: 100%; height: 32rem; border: 1px solid GrayText; background: #fff; }
pre { white-space: pre-wrap; border: 1px solid GrayText; padding: .75rem; margin: 0; font: .9rem/1.45 ui-monospace, monospace; }
`

const document = (title: string, body: string): string =>
  `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>${escapeHtml(title)}</title><link rel="stylesheet" href="/style.css"></head>
<body>${body}</body></html>`

const time = (date: Date | null): string => {
  if (date === null || Number.isNaN(date.getTime())) return 'without a date'
  const iso = date.toISOString()
  return `<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`
}

const titleOf = (subject: string | undefined): string => subject || '(no subject)'

const item = ({ name, subject, to, date }: Line): string =>
  `<li><a href="/mails/${escapeHtml(name)}">${escapeHtml(titleOf(subject))}</a><p><span>to ${escapeHtml(to || 'nobody')}</span><span>${time(date)}</span></p></li>`

/** `older`: the last mail of this page, when there are older ones. */
export const listHtml = (page: {
  lines: Line[]
  count: number
  older: string | undefined
  isFirst: boolean
}): string => {
  const { lines, count, older, isFirst } = page
  const links = [
    isFirst ? '' : '<a href="/">Newest</a>',
    older === undefined ? '' : `<a href="/?before=${encodeURIComponent(older)}" rel="next">Older</a>`,
  ].join('')
  const nothing = '<p>No mail has come yet. Whatever is sent here is kept, and goes to nobody.</p>'
  const mails = lines.length === 0 ? nothing : `<ol class="mails">${lines.map(item).join('')}</ol>`
  const told = count === 1 ? '1 mail' : `${count.toLocaleString('en')} mails`
  const nav = links === '' ? '' : `<nav aria-label="Pages">${links}</nav>`
  return document(
    'Mail sink',
    `<header><h1>Mail sink</h1><p>${told}, newest first</p></header><main>${mails}</main>${nav}`,
  )
}

export const missingHtml = (): string =>
  document('Not found', '<main><h1>There is no such mail</h1><p><a href="/">All mails</a></p></main>')

const entities: Record<string, string> = { amp: '&', quot: '"', '#39': "'", '#x27': "'" }

/** Addresses that a mail links to, each once: in its frame links do nothing. */
const linksOf = (html: string): string[] => {
  const found = html.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)
  const links = [...found].map(([, double, single]) =>
    (double ?? single ?? '').replaceAll(/&(amp|quot|#39|#x27);/g, (_, name: string) => entities[name]!),
  )
  return [...new Set(links)].filter((link) => /^https?:\/\//i.test(link) && URL.canParse(link))
}

const headersOf = ({ headerLines }: ParsedMail): string => headerLines.map(({ line }) => escapeHtml(line)).join('\n')

const section = (id: string, title: string, body: string): string =>
  `<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>`

const filesOf = (name: string, { attachments }: ParsedMail): string => {
  const files = attachments.map(
    ({ filename, contentType, size }, n) =>
      `<li><a href="/mails/${escapeHtml(name)}/attachments/${n}" download>${escapeHtml(filename || `attachment ${n + 1}`)}</a> (${escapeHtml(contentType)}, ${size.toLocaleString('en')} bytes)</li>`,
  )
  return files.length === 0 ? '' : section('files', 'Attachments', `<ol class="files">${files.join('')}</ol>`)
}

/** One mail: who and when, its HTML in a frame of its own, its text, links, attachments and headers. */
export const mailHtml = (name: string, mail: ParsedMail, to: string): string => {
  const title = titleOf(mail.subject)
  const html = typeof mail.html === 'string' ? mail.html : null
  const frame = `<iframe sandbox="" referrerpolicy="no-referrer" src="/mails/${escapeHtml(name)}/html" title="The mail as HTML"></iframe>`
  const links = linksOf(html ?? '').map(
    (link) =>
      `<li><a href="${escapeHtml(link)}" target="_blank" rel="noopener noreferrer">${escapeHtml(link)}</a></li>`,
  )
  const body = [
    `<nav aria-label="Mail"><a href="/">All mails</a><a href="/mails/${escapeHtml(name)}/raw" download>Download the source</a></nav>`,
    `<main><h1>${escapeHtml(title)}</h1>`,
    `<dl><dt>From</dt><dd>${escapeHtml(mail.from?.text ?? '')}</dd><dt>To</dt><dd>${escapeHtml(to)}</dd><dt>Date</dt><dd>${time(mail.date ?? null)}</dd></dl>`,
    html === null ? '' : section('html', 'HTML', frame),
    mail.text === undefined ? '' : section('text', 'Text', `<pre>${escapeHtml(mail.text)}</pre>`),
    links.length === 0 ? '' : section('links', 'Links of the HTML', `<ol class="files">${links.join('')}</ol>`),
    filesOf(name, mail),
    section('headers', 'Headers', `<pre>${headersOf(mail)}</pre>`),
    '</main>',
  ]
  return document(title, body.join(''))
}

import type { Preview } from '../../db/delivery/preview.ts'
import { attributes, markup, type Html } from '../form/pageHtml.ts'
import { pageDocument, shownLine } from './pageDocument.ts'
import { previewText, type PreviewText } from './pageText.ts'

export type PreviewView = {
  preview: Preview
  language: string
  /** address of the mail's own document, relative to the page */
  source: string
  shows: 'layout' | 'text'
  images: boolean
  /** addresses of the page itself, relative to it */
  links: { layout: string; text: string; images: string }
}

const showSender = ({ name, email }: Preview['from']): Html =>
  shownLine(name) === ''
    ? markup`<bdi>${shownLine(email)}</bdi>`
    : markup`<bdi>${shownLine(name)}</bdi> &lt;<bdi>${shownLine(email)}</bdi>&gt;`

const showDate = ({ sentAt, timeZone }: Preview, language: string): Html | false => {
  if (sentAt === null) return false
  const format = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
    dateStyle: 'long',
    timeStyle: 'long',
    timeZone,
  })
  return markup`<time datetime="${sentAt.toISOString()}">${format.format(sentAt)}</time>`
}

const showHead = ({ preview, language }: PreviewView, text: PreviewText): Html => {
  const date = showDate(preview, language)
  return markup`<dl>
<dt>${text.from}</dt><dd>${showSender(preview.from)}</dd>
${preview.to !== null && markup`<dt>${text.to}</dt><dd><bdi>${shownLine(preview.to)}</bdi></dd>`}
${date !== false && markup`<dt>${text.sent}</dt><dd>${date}</dd>`}
</dl>`
}

const showLinks = ({ preview, shows, images, links }: PreviewView, text: PreviewText): Html | false => {
  if (preview.html.length === 0) return false
  const link = (href: string, label: string, isHere: boolean): Html =>
    isHere ? markup`<li><strong>${label}</strong></li>` : markup`<li><a${attributes({ href })}>${label}</a></li>`
  const isLayout = shows === 'layout'
  return markup`<nav aria-label="${text.views}"><ul>
${link(links.layout, text.withLayout, isLayout)}${link(links.text, text.asText, !isLayout)}${
    isLayout && link(images ? links.layout : links.images, images ? text.hideImages : text.showImages, false)
  }
</ul></nav>`
}

const showMail = (view: PreviewView, text: PreviewText): Html => {
  const { preview, shows, images, source, links } = view
  // the first line feed belongs to the tag
  if (shows === 'text')
    return markup`<pre dir="auto">
${preview.text}</pre>`
  const frame = { src: source, title: text.mail, sandbox: '', referrerpolicy: 'no-referrer' }
  return markup`<p class="note">${!images && markup`${text.imagesTell} `}${text.linksRest} <a${attributes({ href: images ? links.images : links.layout })}>${text.openAnew}</a></p>
<iframe${attributes(frame)}></iframe>`
}

/** R33: the mail in a frame of its own, below who sent it to whom. Nothing in the page itself is markup of the mail. */
export const previewPage = (view: PreviewView): string => {
  const text = previewText(view.language)
  const subject = shownLine(view.preview.subject) || text.noSubject
  return pageDocument(
    view.language,
    subject,
    markup`<h1><bdi>${subject}</bdi></h1>
${showHead(view, text)}
${showLinks(view, text)}
${showMail(view, text)}`,
    'mail',
  )
}

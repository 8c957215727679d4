import { convert } from 'html-to-text'
import type { Content } from '../domain/delivery.ts'
import type { MessageDefinition, Placeholder } from '../domain/message.ts'
import { htmlLiquid, plainLiquid } from './liquid.ts'
import { escapeText, guardHtml, parse, placeholdersOf, renderPart } from './template.ts'

/** `record`: what the record says, by placeholder (domain/message/placeholder.ts); blank is ''. */
export type MergeValues = { record: Record<string, string>; unsubscribeUrl: string; previewUrl: string }

export type CompiledMessage = {
  /** Errors: unknownPlaceholder, templateFailed. */
  render: (values: MergeValues) => Content
  /** what the templates ask for, everywhere where they do */
  placeholders: () => Placeholder[]
}

const hidden =
  'display:none;max-height:0;max-width:0;overflow:hidden;mso-hide:all;font-size:1px;line-height:1px;color:transparent;opacity:0'

/** Mail programs show the first text of a mail beside its subject. */
const withPreheader = (html: string, preheader: string): string => {
  const { source, bodyBegin } = guardHtml(html)
  if (preheader.trim() === '') return source
  const element = `<div data-preheader="" aria-hidden="true" style="${hidden}">${escapeText('preheader', preheader)}</div>`
  return source.slice(0, bodyBegin) + element + source.slice(bodyBegin)
}

const textFrom = (html: string): string =>
  convert(html, {
    wordwrap: false,
    selectors: [
      { selector: '[data-preheader]', format: 'skip' },
      { selector: 'img', options: { ignoreHref: true }, format: 'image' },
      { selector: 'a', options: { hideLinkHrefIfSameAsText: true, linkBrackets: ['<', '>'], noAnchorUrl: true } },
    ],
  })

/** A subject is one line. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029\s]+/gu, ' ').trim()

/**
 * Reads the templates of a message once, to make many mails of it. Errors: templateInvalid, with line and column.
 */
export const compileMessage = (
  definition: Pick<MessageDefinition, 'subject' | 'preheader' | 'html' | 'text'>,
): CompiledMessage => {
  const subject = parse(plainLiquid, 'subject', definition.subject)
  const html = parse(htmlLiquid, 'html', withPreheader(definition.html, definition.preheader))
  const text = definition.text === null ? null : parse(plainLiquid, 'text', definition.text)
  return {
    placeholders: () => [
      ...placeholdersOf('subject', definition.subject),
      ...placeholdersOf('preheader', definition.preheader),
      ...placeholdersOf('html', definition.html),
      ...placeholdersOf('text', definition.text ?? ''),
    ],
    render({ record, unsubscribeUrl, previewUrl }) {
      const values = { ...record, unsubscribe_url: unsubscribeUrl, preview_url: previewUrl }
      const made = renderPart(htmlLiquid, 'html', html, values)
      return {
        subject: oneLine(renderPart(plainLiquid, 'subject', subject, values)),
        html: made,
        text: text === null ? textFrom(made) : renderPart(plainLiquid, 'text', text, values),
      }
    },
  }
}

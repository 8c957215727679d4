import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Content } from '../../domain/delivery.ts'

/** As it is stored: deflated with the template as preset dictionary, a few hundred bytes a mail; the hash is of the HTML as it was sent (UTF-8). */
export type Packed = { subject: string; html: Buffer; text: Buffer; sha256: Buffer }

/** deflate looks back so far, and no farther. */
const mostDictionary = 32_768

/** The end of a template is nearest: what is longer than the window loses its beginning. */
const dictionaryOf = (template: string): Buffer => Buffer.from(template).subarray(-mostDictionary)

const deflate = (value: string, dictionary: Buffer): Buffer =>
  deflateRawSync(value, dictionary.length === 0 ? {} : { dictionary })
const inflate = (bytes: Buffer, dictionary: Buffer): Buffer =>
  inflateRawSync(bytes, dictionary.length === 0 ? {} : { dictionary })

export const sha256Of = (html: string | Buffer): Buffer => createHash('sha256').update(html).digest()

/** `template`: the HTML of the message's version, or '' where there is none. It must be given again to unpack. */
export const pack = ({ subject, html, text }: Content, template: string): Packed => {
  const dictionary = dictionaryOf(template)
  return { subject, html: deflate(html, dictionary), text: deflate(text, dictionary), sha256: sha256Of(html) }
}

/** Null when the bytes are not what was sent any more (design.md 4.11). `html`: the bytes of the HTML part, UTF-8. */
export const unpack = (packed: Packed, template: string): { subject: string; html: Buffer; text: string } | null => {
  const dictionary = dictionaryOf(template)
  try {
    const html = inflate(packed.html, dictionary)
    if (!sha256Of(html).equals(packed.sha256)) return null
    return { subject: packed.subject, html, text: inflate(packed.text, dictionary).toString() }
  } catch {
    return null
  }
}

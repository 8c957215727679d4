import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { SecretBox } from '../../db/secret.ts'

/** A page that was filled in faster was filled in by a robot. */
export const fastestMs = 2000
const oldestMs = 24 * 3_600_000

const Content = z.tuple([z.number().int(), z.string().regex(/^[\w-]{22}$/)])

const contextOf = (formId: string): string => `formPage:${formId}`

/** What a page carries: when it was made, and a number of its own that can be used once. Sealed with the installation's newest key, for this form only. */
export const issueToken = (secrets: SecretBox, formId: string, at = Date.now()): string =>
  secrets.seal(JSON.stringify([at, randomBytes(16).toString('base64url')]), contextOf(formId))

export type PageToken =
  | { state: 'none' | 'forged' | 'old' }
  /** `fast` may be sent again a moment later; `nonce` is what is kept of it */
  | { state: 'good' | 'fast'; nonce: string; sealed: string }

/** `sealed` as a page or a program sent it; blank or missing is `none`. */
export const readToken = (
  secrets: SecretBox,
  formId: string,
  sealed: unknown,
  { now = Date.now(), fastest = fastestMs } = {},
): PageToken => {
  if (sealed === undefined || sealed === null || sealed === '') return { state: 'none' }
  if (typeof sealed !== 'string' || sealed.length > 500) return { state: 'forged' }
  try {
    const [at, nonce] = Content.parse(JSON.parse(secrets.open(sealed, contextOf(formId))))
    if (now - at > oldestMs) return { state: 'old' }
    return { state: now - at < fastest ? 'fast' : 'good', nonce, sealed }
  } catch {
    return { state: 'forged' }
  }
}

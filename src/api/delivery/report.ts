import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { emailKeyOf } from '../../db/emailKey.ts'
import type { Reported } from '../../db/delivery/report.ts'
import { newToken } from '../../db/delivery/token.ts'
import { withPlainLines, type Content } from '../../domain/delivery.ts'
import { FairleadError } from '../../domain/errors.ts'
import { firstIssue } from '../issue.ts'
import { Id, Instant, text } from '../schemas.ts'
import type { CompileMessage } from '../services.ts'
import type { Line } from './lines.ts'

const mostHtml = 1_000_000

export const ReportLine = z
  .strictObject({
    id: text(200).min(1).meta({ description: 'of the other sender; one that is known already changes nothing' }),
    email: z.email().max(320).optional(),
    recordId: Id.optional(),
    sentAt: Instant,
    subject: text(1000).optional(),
    html: text(mostHtml).min(1).optional().meta({ description: 'as it was sent' }),
    text: text(mostHtml).optional(),
    values: z
      .record(text(200), text(20_000))
      .optional()
      .meta({ description: 'what the templates of the message are filled in with, instead of `html`' }),
    state: z.enum(['accepted', 'bounced']).default('accepted'),
  })
  .refine(({ email, recordId }) => email !== undefined || recordId !== undefined, 'needs email or recordId')
  .refine(({ html, values }) => (html === undefined) !== (values === undefined), 'needs either html or values')
  .refine(({ html, subject }) => html === undefined || subject !== undefined, 'needs subject beside html')
  .meta({
    id: 'DeliveryReport',
    examples: [
      {
        id: 'mail-1',
        email: 'pat.miller@example.com',
        sentAt: '2026-11-23T10:00:00.000Z',
        subject: 'News',
        html: '<p>Dear Pat</p>',
      },
    ],
  })
type ReportLine = z.infer<typeof ReportLine>

export type LineError = { line: number; id: string | null; code: string; message: string; path: string }

const linkOf = (publicUrl: string | null, path: string): string => `${publicUrl ?? ''}${path}`

export type Reading = { hashKey: KeyObject; publicUrl: string | null; compiled: () => ReturnType<CompileMessage> }

const contentOf = (
  line: ReportLine,
  tokens: Pick<Reported, 'previewToken' | 'unsubscribeToken'>,
  reading: Reading,
): Content => {
  const { html, subject, values } = line
  if (html !== undefined) return withPlainLines({ subject: subject ?? '', html, text: line.text ?? '' })
  const { publicUrl, compiled } = reading
  const previewUrl = linkOf(publicUrl, `/p/${tokens.previewToken}`)
  const unsubscribeUrl = linkOf(publicUrl, `/u/${tokens.unsubscribeToken}`)
  return withPlainLines(compiled().render({ record: values ?? {}, previewUrl, unsubscribeUrl }))
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new FairleadError('invalidJson', { detail: 'The line is not valid JSON.' })
  }
}

/** What a line says. Errors: invalidInput, invalidJson, bodyTooLarge, and those of the templates. */
const readWhole = (given: string | null, reading: Reading): Reported => {
  if (given === null) throw new FairleadError('bodyTooLarge', { detail: 'The line is too long.' })
  const read = ReportLine.safeParse(parse(given))
  if (!read.success) {
    const { path, message } = firstIssue(read.error)
    throw new FairleadError('invalidInput', { detail: message, errors: [{ path, message }] })
  }
  const { id, email, recordId, sentAt, state } = read.data
  const tokens = { previewToken: newToken(), unsubscribeToken: newToken() }
  return {
    externalId: id,
    email: email ?? null,
    emailKey: emailKeyOf(reading.hashKey, email),
    recordId: recordId ?? null,
    state,
    sentAt: new Date(sentAt),
    ...tokens,
    content: contentOf(read.data, tokens, reading),
  }
}

/** A line as a report, or what is wrong with it. */
export const readLine = ({ number, text }: Line, reading: Reading): Reported | LineError => {
  try {
    return readWhole(text, reading)
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error
    return {
      line: number,
      id: null,
      code: error.code,
      message: error.message,
      path: error.details.errors?.[0]?.path ?? '',
    }
  }
}

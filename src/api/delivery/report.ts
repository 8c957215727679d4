import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { emailKeyOf } from '../../db/emailKey.ts'
import type { Reported } from '../../db/delivery/report.ts'
import { newToken } from '../../db/delivery/token.ts'
import { withPlainLines, type Content } from '../../domain/delivery.ts'
import { FairleadError, misplaced } from '../../domain/errors.ts'
import { previewUrl, unsubscribeUrl } from '../../domain/link.ts'
import { readTyped } from '../../domain/typed.ts'
import { firstIssue } from '../issue.ts'
import { Id, Instant, text } from '../schemas.ts'
import type { CompileMessage } from '../services.ts'
import type { Line } from './lines.ts'

const mostHtml = 1_000_000

/** Clocks differ, by hours where somebody has mistaken the time zone. */
const ahead = 86_400_000
const isPlausible = (at: string): boolean => at >= '2000' && Date.parse(at) <= Date.now() + ahead

export const ReportLine = z
  .strictObject({
    id: text(200).min(1).meta({ description: 'of the other sender; one that is known already changes nothing' }),
    email: text(320).min(1).optional().meta({ description: 'read as the one of a record is' }),
    recordId: Id.optional(),
    sentAt: Instant.refine(isPlausible, 'expects when it was sent: not before 2000, and not in the future'),
    subject: text(1000).optional(),
    html: text(mostHtml).min(1).optional().meta({ description: 'as it was sent' }),
    text: text(mostHtml).optional(),
    values: z.record(text(200), text(20_000)).optional().meta({
      description:
        'what the templates of the message are filled in with, instead of `html`; needs PUBLIC_URL, since their links go there',
    }),
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

export type Reading = { hashKey: KeyObject; publicUrl: string | null; compiled: () => ReturnType<CompileMessage> }

const contentOf = (
  line: ReportLine,
  tokens: Pick<Reported, 'previewToken' | 'unsubscribeToken'>,
  reading: Reading,
): Content => {
  const { html, subject, values } = line
  if (html !== undefined) return withPlainLines({ subject: subject ?? '', html, text: line.text ?? '' })
  const { publicUrl, compiled } = reading
  if (publicUrl === null) throw new FairleadError('publicUrlMissing')
  const links = {
    previewUrl: previewUrl(publicUrl, tokens.previewToken),
    unsubscribeUrl: unsubscribeUrl(publicUrl, tokens.unsubscribeToken),
  }
  const content = withPlainLines(compiled().render({ record: values ?? {}, ...links }))
  if (content.html.trim() === '')
    throw misplaced('values', 'fill in nothing, since the message has no HTML: send html.')
  return content
}

const parse = ({ text, fault }: Line): unknown => {
  if (fault === 'bodyTooLarge') throw new FairleadError('bodyTooLarge', { detail: 'The line is too long.' })
  if (fault !== undefined) throw new FairleadError('invalidJson', { detail: 'The line is not UTF-8.' })
  try {
    return JSON.parse(text)
  } catch {
    throw new FairleadError('invalidJson', { detail: 'The line is not valid JSON.' })
  }
}

/** Errors: invalidInput. */
const addressOf = (given: string | undefined): string | null => {
  const [email, expects] = readTyped('email', given)
  if (email !== undefined) return email as string | null
  throw new FairleadError('invalidInput', { detail: expects, errors: [{ path: 'email', message: expects }] })
}

/** What a line says. Errors: invalidInput, publicUrlMissing for values without it, and those of the templates. */
const readWhole = (given: unknown, reading: Reading): Reported => {
  const read = ReportLine.safeParse(given)
  if (!read.success) {
    const { path, message } = firstIssue(read.error)
    throw new FairleadError('invalidInput', { detail: message, errors: [{ path, message }] })
  }
  const { id, recordId, sentAt, state } = read.data
  const email = addressOf(read.data.email)
  const tokens = { previewToken: newToken(), unsubscribeToken: newToken() }
  return {
    externalId: id,
    email,
    emailKey: emailKeyOf(reading.hashKey, email),
    recordId: recordId ?? null,
    state,
    sentAt: new Date(sentAt),
    ...tokens,
    content: contentOf(read.data, tokens, reading),
  }
}

const idOf = (given: unknown): string | null => {
  const read = ReportLine.shape.id.safeParse((given as { id?: unknown } | null | undefined)?.id)
  return read.success ? read.data : null
}

/** A line as a report, or what is wrong with it. Errors of a line: bodyTooLarge, invalidJson, and those of `readWhole`. */
export const readLine = (line: Line, reading: Reading): Reported | LineError => {
  let given: unknown
  try {
    given = parse(line)
    return readWhole(given, reading)
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error
    return {
      line: line.number,
      id: idOf(given),
      code: error.code,
      message: error.message,
      path: error.details.errors?.[0]?.path ?? '',
    }
  }
}

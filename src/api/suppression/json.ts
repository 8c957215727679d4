import { z } from 'zod'
import type * as suppressions from '../../db/suppression.ts'
import { suppressionReasons, suppressionSources } from '../../domain/suppression.ts'
import { causeOf } from '../../domain/cause.ts'
import type { OptOut } from '../../db/optOut/read.ts'
import { optOutStates } from '../../domain/optOut.ts'
import { CrmSaid, Cursor, Entity, exampleOf, Id, Instant, instant, instantOrNull, text } from '../schemas.ts'

const mostRows = 1000
const mostEvidence = 2000

const Reason = z.enum(suppressionReasons)
const Source = z.enum(suppressionSources).meta({
  description:
    'who says so: the person, the CRM, an administrator, or a program or user of the API; each is lifted by itself',
})
const Evidence = text(mostEvidence).trim().min(1)

export const Confirmed = z.object({
  entity: Entity,
  id: z.string(),
  at: Instant.meta({ description: 'when the CRM said so' }),
  wrote: z.boolean().meta({ description: 'by us; else it was so already' }),
})

const CrmConfirmation = z
  .object({
    state: z.enum(optOutStates).meta({
      description:
        '`waiting` is tried by itself, `held` waits for the connection, `rejected` needs a person; `written`: the CRM has confirmed it',
    }),
    doNotEmail: z.boolean().meta({ description: 'DoNotEmail as it is to be: false after a lifting' }),
    people: z.array(Confirmed).meta({ description: 'everybody with the address who has it so now' }),
    code: z.string().nullable(),
    message: z.string().nullable(),
    remedy: z.string().nullable(),
    said: CrmSaid.nullable().meta({ description: 'what the CRM itself said' }),
    settledAt: Instant.nullable(),
  })
  .meta({ id: 'CrmConfirmation' })

export const Suppression = z
  .object({
    id: Id,
    email: z.string().nullable().meta({ description: 'as it was given; null after an erasure, which leaves a hash' }),
    reason: Reason,
    source: Source,
    evidence: z.string().nullable(),
    createdAt: Instant,
    createdBy: Id.nullable().meta({ description: 'the API key' }),
    liftedAt: Instant.nullable(),
    liftedBy: Id.nullable(),
    liftEvidence: z.string().nullable(),
    crm: CrmConfirmation.nullable().meta({ description: 'what the CRM was told because of it; null: nothing' }),
  })
  .meta({
    id: 'Suppression',
    description: 'An address that must not be mailed, and why',
    examples: [
      {
        id: '019ab3c4-7c00-7000-8000-778899001122',
        email: 'pat.miller@example.com',
        reason: 'unsubscribed',
        source: 'person',
        evidence: 'Asked on the phone on 23 November 2026.',
        createdAt: '2026-11-23T10:00:00.000Z',
        createdBy: '019ab3c4-5100-7000-8000-223344556677',
        liftedAt: null,
        liftedBy: null,
        liftEvidence: null,
        crm: {
          state: 'written',
          doNotEmail: true,
          people: [{ entity: 'lead', id: 'QF8AAA000001', at: '2026-11-23T10:00:02.000Z', wrote: true }],
          code: null,
          message: null,
          remedy: null,
          said: null,
          settledAt: '2026-11-23T10:00:02.000Z',
        },
      },
    ],
  })
type Suppression = z.infer<typeof Suppression>

export const NewSuppression = z
  .strictObject({
    email: text(1000),
    reason: Reason,
    source: Source.optional().meta({
      description:
        'where it is not said: `person` for unsubscribed, complained and optedOut, which only the person does, else `api`',
    }),
    evidence: Evidence.nullable()
      .default(null)
      .meta({ description: `what proves it, up to ${mostEvidence.toLocaleString('en')} characters` }),
  })
  .meta({
    id: 'NewSuppression',
    examples: [
      {
        email: 'pat.miller@example.com',
        reason: 'unsubscribed',
        source: 'person',
        evidence: 'Asked on the phone on 23 November 2026.',
      },
    ],
  })

export const SuppressionBulk = z
  .strictObject({
    // Rows are read one by one, so that a bad one harms no other.
    suppressions: z
      .array(z.unknown().meta({ $ref: '#/components/schemas/NewSuppressionInput' }))
      .min(1)
      .max(mostRows),
  })
  .meta({ id: 'SuppressionBulk', examples: [{ suppressions: [exampleOf(NewSuppression)] }] })

const SuppressionRow = z
  .object({
    result: z.enum(['created', 'unchanged', 'rejected']),
    id: Id.nullable(),
    code: z.string().nullable(),
    message: z.string().nullable(),
    path: z.string().nullable().meta({ description: 'where in the request' }),
  })
  .meta({ id: 'SuppressionRow' })
export type SuppressionRow = z.infer<typeof SuppressionRow>

const count = z.number().int()
export const SuppressionBulkResult = z
  .object({
    counts: z.object({ created: count, unchanged: count, rejected: count }),
    results: z.array(SuppressionRow).meta({ description: 'one for each row, in the order of the rows' }),
  })
  .meta({
    id: 'SuppressionBulkResult',
    examples: [
      {
        counts: { created: 1, unchanged: 0, rejected: 0 },
        results: [
          { result: 'created', id: '019ab3c4-7c00-7000-8000-778899001122', code: null, message: null, path: null },
        ],
      },
    ],
  })

export const SuppressionSearch = z
  .strictObject({
    email: text(1000).min(1),
    lifted: z.boolean().optional().meta({ description: 'only lifted ones, or only active ones; without it, both' }),
    limit: z.number().int().min(1).max(200).default(50),
    cursor: Cursor.optional(),
  })
  .meta({ id: 'SuppressionSearch', examples: [{ email: 'pat.miller@example.com' }] })

export const Lift = z
  .strictObject({ evidence: Evidence.meta({ description: 'why the address may be mailed again' }) })
  .meta({ id: 'Lift', examples: [{ evidence: 'Signed up again at the fair on 24 November 2026.' }] })

export const confirmationJson = ({
  state,
  doNotEmail,
  results,
  code,
  crm,
  settledAt,
}: OptOut): z.infer<typeof CrmConfirmation> => ({
  state,
  doNotEmail,
  people: results,
  code,
  message: code === null ? null : causeOf(code).message,
  remedy: code === null ? null : causeOf(code).remedy,
  said: crm,
  settledAt: instantOrNull(settledAt),
})

export const suppressionJson = (row: suppressions.Suppression, told?: OptOut): Suppression => {
  const { accountId: _account, emailKey: _key, createdAt, liftedAt, ...rest } = row
  return {
    ...rest,
    createdAt: instant(createdAt),
    liftedAt: instantOrNull(liftedAt),
    crm: told === undefined ? null : confirmationJson(told),
  }
}

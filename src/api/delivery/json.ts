import { z } from 'zod'
import type { Delivery as Row } from '../../db/delivery/read.ts'
import { causeOf } from '../../domain/cause.ts'
import { deliveryStates } from '../../domain/delivery.ts'
import { previewUrl } from '../../domain/link.ts'
import { Entity, Id, Instant, instant, instantOrNull } from '../schemas.ts'
import type { Services } from '../services.ts'

export const State = z.enum(deliveryStates).meta({
  description:
    '`waiting`: to be sent. `sending`: being handed over. `accepted`: the mail server took it. `rejected`: it did not. `skipped`: not mailed. `unknown`: nobody knows whether it was taken. `bounced`: it came back for good',
})

export const BounceKind = z.enum(['permanent', 'transient'])
/** RFC 3463 */
export const Status = z.string().regex(/^[245]\.\d{1,3}\.\d{1,3}$/, 'expects an enhanced status code such as 5.1.1')

export const Delivery = z
  .object({
    id: Id,
    messageId: Id,
    version: z.number().int().meta({ description: 'of the message' }),
    runId: Id.nullable().meta({ description: 'null: another sender has sent it' }),
    externalId: z.string().nullable().meta({ description: 'of another sender' }),
    email: z.string().nullable().meta({ description: 'null without one, and after an erasure' }),
    listId: Id.nullable(),
    recordId: Id.nullable(),
    crm: z.object({ entity: Entity, id: z.string() }).nullable(),
    state: State,
    code: z.string().nullable().meta({ description: 'why it was skipped or rejected, or what it waits for' }),
    message: z.string().nullable(),
    remedy: z.string().nullable(),
    said: z
      .object({ status: z.number().int(), code: z.string().nullable() })
      .nullable()
      .meta({ description: 'what the mail server said: its status and enhanced status code' }),
    bounce: z.object({ kind: BounceKind, status: z.string().nullable(), at: Instant }).nullable(),
    maybeTwice: z.boolean().meta({
      description: 'nobody knew whether an earlier attempt had arrived: it may have come twice, or not at all',
    }),
    preview: z
      .object({ url: z.url().nullable(), expiresAt: Instant.nullable(), revokedAt: Instant.nullable() })
      .nullable()
      .meta({ description: 'null for what was not sent; `url` is null while nobody has set PUBLIC_URL' }),
    tries: z.number().int(),
    nextTryAt: Instant.nullable(),
    sentAt: Instant.nullable(),
    acceptedAt: Instant.nullable(),
    unsubscribedAt: Instant.nullable(),
  })
  .meta({
    id: 'Delivery',
    examples: [
      {
        id: '019ab3c7-1000-7000-8000-112233445566',
        messageId: '019ab3c7-0000-7000-8000-112233445566',
        version: 3,
        runId: '019ab3c4-61f2-7a35-8d40-0b5a7c9e1f23',
        externalId: null,
        email: 'pat.miller@example.com',
        listId: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071',
        recordId: '019ab3c6-1100-7000-8000-223344556677',
        crm: { entity: 'lead', id: 'QF8AAA000001' },
        state: 'accepted',
        code: null,
        message: null,
        remedy: null,
        said: { status: 250, code: '2.0.0' },
        bounce: null,
        maybeTwice: false,
        preview: {
          url: 'https://fairlead.example.com/p/3q2-7wABAgMEBQYHCAkKCwwNDg8QERIT',
          expiresAt: '2028-11-23T10:00:00.000Z',
          revokedAt: null,
        },
        tries: 1,
        nextTryAt: null,
        sentAt: '2026-11-23T10:00:00.000Z',
        acceptedAt: '2026-11-23T10:00:00.200Z',
        unsubscribedAt: null,
      },
    ],
  })

const previewJson = (row: Row, publicUrl: string | null): z.infer<typeof Delivery>['preview'] => {
  const { previewToken, state, previewExpiresAt, previewRevokedAt } = row
  if (previewToken === null || !['accepted', 'bounced', 'unknown'].includes(state)) return null
  return {
    url: publicUrl === null ? null : previewUrl(publicUrl, previewToken),
    expiresAt: instantOrNull(previewExpiresAt),
    revokedAt: instantOrNull(previewRevokedAt),
  }
}

export const deliveryJson =
  ({ publicUrl }: Pick<Services, 'publicUrl'>) =>
  (row: Row): z.infer<typeof Delivery> => {
    const cause = row.code === null ? null : causeOf(row.code)
    return {
      id: row.id,
      messageId: row.messageId,
      version: row.version,
      runId: row.runId,
      externalId: row.externalId,
      email: row.email,
      listId: row.listId,
      recordId: row.recordId,
      crm: row.crmEntity === null || row.crmId === null ? null : { entity: row.crmEntity, id: row.crmId },
      state: row.state,
      code: row.code,
      message: cause?.message ?? null,
      remedy: cause?.remedy ?? null,
      said: row.smtpStatus === null ? null : { status: row.smtpStatus, code: row.smtpCode },
      bounce: row.bounce,
      maybeTwice: row.isUnsure,
      preview: previewJson(row, publicUrl),
      tries: row.tries,
      nextTryAt: row.state === 'waiting' ? instant(row.dueAt) : null,
      sentAt: instantOrNull(row.sentAt),
      acceptedAt: instantOrNull(row.acceptedAt),
      unsubscribedAt: instantOrNull(row.unsubscribedAt),
    }
  }

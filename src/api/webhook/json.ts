import { z } from 'zod'
import type { Delivery as DeliveryRow } from '../../db/alert/delivery.ts'
import type { Webhook as WebhookRow } from '../../db/webhook.ts'
import { AlertKind } from '../alert.ts'
import { Id, Instant, instant, instantOrNull, text } from '../schemas.ts'

const Url = text(2000)
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), 'is not an http or https URL')
  .refine((value) => !URL.canParse(value) || !new URL(value).username, 'holds a user name; put a token into the path')
  .meta({ examples: ['https://hooks.example.com/fairlead'] })
const Events = z
  .array(AlertKind)
  .max(20)
  .refine((kinds) => new Set(kinds).size === kinds.length, 'names a kind twice')
  .meta({ description: 'kinds of alerts that it is told of; none: all' })

const members = {
  id: Id,
  url: z.string(),
  events: z.array(AlertKind),
  previousSecretUntil: Instant.nullable().meta({ description: 'until when the secret before signs, too' }),
  createdAt: Instant,
  updatedAt: Instant,
}
const example = {
  id: '019ab3c4-7100-7000-8000-112233445566',
  url: 'https://hooks.example.com/fairlead',
  events: ['connectionBroken', 'runFailed'],
  previousSecretUntil: null,
  createdAt: '2026-11-23T09:00:00.000Z',
  updatedAt: '2026-11-23T09:00:00.000Z',
}
const secret = z.string().meta({ description: 'signs every call; shown this once' })
const shownSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo='

export const Webhook = z.object(members).meta({ id: 'Webhook', examples: [example] })
export const ShownWebhook = z
  .object({ ...members, secret })
  .meta({ id: 'ShownWebhook', examples: [{ ...example, secret: shownSecret }] })
/** with a secret after a rotation */
export const ChangedWebhook = z
  .object({ ...members, secret: secret.optional() })
  .meta({ id: 'ChangedWebhook', examples: [example] })

export const NewWebhook = z
  .strictObject({ url: Url, events: Events.default([]) })
  .meta({ id: 'NewWebhook', examples: [{ url: example.url, events: example.events }] })
export const WebhookChanges = z
  .strictObject({
    url: Url,
    events: Events,
    rotateSecret: z
      .literal(true)
      .meta({ description: 'makes a new secret; the one before signs beside it for 24 hours' }),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'names nothing to change')
  .meta({ id: 'WebhookChanges', examples: [{ rotateSecret: true }] })

export const webhookJson = (row: WebhookRow): z.infer<typeof Webhook> => {
  const { id, url, events, previousUntil, createdAt, updatedAt } = row
  const until = previousUntil !== null && previousUntil > new Date() ? previousUntil : null
  return {
    id,
    url,
    events,
    previousSecretUntil: instantOrNull(until),
    createdAt: instant(createdAt),
    updatedAt: instant(updatedAt),
  }
}

const Attempt = z.object({
  at: Instant,
  status: z.number().int().nullable().meta({ description: 'of the answer; null: there was none' }),
  ms: z.number().int(),
  error: z
    .enum([
      'answer',
      'timeout',
      'unreachable',
      'certificate',
      'hostNotAllowed',
      'redirect',
      'mailRefused',
      'mailNotConfigured',
      'internal',
    ])
    .nullable(),
})

export const WebhookDelivery = z
  .object({
    id: Id.meta({ description: 'the header `webhook-id` of every attempt' }),
    alertId: Id.nullable(),
    event: z.enum([...AlertKind.options, 'test']),
    state: z.enum(['pending', 'delivered', 'failed']),
    attempts: z.array(Attempt).meta({ description: 'oldest first, the last 50' }),
    nextAt: Instant.nullable().meta({ description: 'when the next attempt is due' }),
    createdAt: Instant,
    deliveredAt: Instant.nullable(),
  })
  .meta({
    id: 'WebhookDelivery',
    examples: [
      {
        id: '019ab3c4-7200-7000-8000-112233445566',
        alertId: '019ab3c4-7000-7000-8000-112233445566',
        event: 'connectionBroken',
        state: 'delivered',
        attempts: [
          { at: '2026-11-23T09:00:01.000Z', status: 500, ms: 41, error: 'answer' },
          { at: '2026-11-23T09:00:06.000Z', status: 204, ms: 38, error: null },
        ],
        nextAt: null,
        createdAt: '2026-11-23T09:00:00.000Z',
        deliveredAt: '2026-11-23T09:00:06.000Z',
      },
    ],
  })

export const deliveryJson = (row: DeliveryRow): z.infer<typeof WebhookDelivery> => ({
  id: row.id,
  alertId: row.alertId,
  event: row.event,
  state: row.state,
  attempts: row.attempts,
  nextAt: instantOrNull(row.nextAt),
  createdAt: instant(row.createdAt),
  deliveredAt: instantOrNull(row.deliveredAt),
})

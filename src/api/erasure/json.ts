import { z } from 'zod'
import type { Erasure as ErasureRow } from '../../db/erasure.ts'
import { Entity, Id, Instant, instant, instantOrNull, text } from '../schemas.ts'

const Reason = text(500)
  .trim()
  .min(1)
  .nullable()
  .default(null)
  .meta({ description: 'such as a case number; it should name nobody' })

export const NewErasure = z
  .union(
    [
      z.strictObject({ email: text(1000).min(1), reason: Reason }),
      z.strictObject({ crm: z.strictObject({ entity: Entity, id: text(100).trim().min(1) }), reason: Reason }),
      z.strictObject({ recordId: Id, reason: Reason }),
    ],
    'expects one of email, crm (entity and id) and recordId, and a reason of at most 500 characters if there is one',
  )
  .meta({ id: 'NewErasure', examples: [{ email: 'pat.miller@example.com', reason: 'Request 2026-114' }] })

const count = z.number().int()
const Counts = z.object({
  records: count,
  entries: count,
  edits: count,
  submissions: count,
  deliveries: count,
  previews: count,
  notes: count,
  suppressions: count,
  optOuts: count,
  decisions: count,
  hashes: count.meta({ description: 'keyed hashes of addresses and CRM ids, which keep the person from coming back' }),
})

export const Erasure = z
  .object({
    id: Id,
    at: Instant,
    apiKeyId: Id.nullable(),
    reason: z.string().nullable(),
    counts: Counts.meta({ description: 'how many rows of each were erased or made anonymous' }),
    crmUntouched: z.literal(true).meta({ description: 'what the CRM holds is erased there' }),
    liftedAt: Instant.nullable().meta({ description: 'when the person came back by filling in a form' }),
  })
  .meta({
    id: 'Erasure',
    description: 'The proof of an erasure; it names nobody',
    examples: [
      {
        id: '019ab3c4-7e00-7000-8000-8899aabbccdd',
        at: '2026-11-23T10:00:00.000Z',
        apiKeyId: '019ab3c4-5100-7000-8000-223344556677',
        reason: 'Request 2026-114',
        counts: {
          records: 2,
          entries: 5,
          edits: 3,
          submissions: 1,
          deliveries: 4,
          previews: 4,
          notes: 4,
          suppressions: 1,
          optOuts: 1,
          decisions: 0,
          hashes: 3,
        },
        crmUntouched: true,
        liftedAt: null,
      },
    ],
  })

export const erasureJson = ({
  id,
  createdAt,
  apiKeyId,
  reason,
  proof,
  liftedAt,
}: ErasureRow): z.infer<typeof Erasure> => {
  const { crmUntouched, ...counts } = proof
  return { id, at: instant(createdAt), apiKeyId, reason, counts, crmUntouched, liftedAt: instantOrNull(liftedAt) }
}

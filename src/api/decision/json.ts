import { z } from 'zod'
import type * as decisions from '../../db/decision.ts'
import { Entity, Id, Instant, instant, instantOrNull, PageQuery, text } from '../schemas.ts'

const Values = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .meta({ description: 'by CRM field, or by the name of a column that has none' })
const Person = z.object({ entity: Entity, id: z.string() })

const kept = { Email: 'pat.miller@example.com', FirstName: 'Pat', LastName: 'Miller' }

export const Decision = z
  .object({
    id: Id,
    kind: z.enum(['match', 'successor']).meta({
      description:
        '`match`: several people in the CRM have the record’s address. `successor`: the person is gone, and several may have taken over.',
    }),
    state: z.enum(['open', 'decided', 'closed']).meta({ description: '`closed`: the question answered itself' }),
    list: z.object({ id: Id, name: z.string() }),
    record: z.object({ id: Id, values: Values }),
    gone: Person.nullable().meta({ description: 'for `successor`: who is gone' }),
    candidates: z.array(z.object({ entity: Entity, id: z.string(), values: Values })),
    since: Instant,
    decidedAt: Instant.nullable(),
    decidedBy: Id.nullable().meta({ description: 'the API key' }),
    chosen: Person.nullable().meta({ description: 'null also where nobody took over' }),
    closedAt: Instant.nullable().meta({
      description: 'when a run went by the answer, or found nothing to ask any more',
    }),
  })
  .meta({
    id: 'Decision',
    description: 'Who a record is in the CRM, asked of a person; record and candidates have the same names of values',
    examples: [
      {
        id: '019ab3c4-7c00-7000-8000-778899001122',
        kind: 'match',
        state: 'open',
        list: { id: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071', name: 'All Infor CRM Leads' },
        record: { id: '019ab3c4-7000-7000-8000-66778899aabb', values: { ...kept, WorkPhone: '+1 555 0100' } },
        gone: null,
        candidates: [
          { entity: 'contact', id: 'CF8AAA000001', values: { ...kept, WorkPhone: '+1 555 0100' } },
          { entity: 'contact', id: 'CF8AAA000002', values: { ...kept, WorkPhone: null } },
        ],
        since: '2026-11-23T10:00:00.000Z',
        decidedAt: null,
        decidedBy: null,
        chosen: null,
        closedAt: null,
      },
    ],
  })

const personOf = (entity: 'lead' | 'contact' | null, id: string | null): z.infer<typeof Person> | null =>
  entity !== null && id !== null ? { entity, id } : null

export const decisionJson = (row: decisions.Decision): z.infer<typeof Decision> => {
  const { crmEntity, crmId, chosenEntity, chosenId, createdAt, decidedAt, closedAt, ...rest } = row
  return {
    ...rest,
    gone: personOf(crmEntity, crmId),
    since: instant(createdAt),
    decidedAt: instantOrNull(decidedAt),
    chosen: personOf(chosenEntity, chosenId),
    closedAt: instantOrNull(closedAt),
  }
}

export const DecisionQuery = PageQuery.extend({
  state: z.enum(['open', 'decided', 'all']).default('open'),
  listId: Id.optional(),
})

export const Answer = z
  .strictObject({
    crmId: text(64)
      .min(1)
      .nullable()
      .meta({ description: 'of one of the candidates; null, for `successor` only: nobody took over' }),
  })
  .meta({ id: 'Answer', examples: [{ crmId: 'CF8AAA000001' }] })

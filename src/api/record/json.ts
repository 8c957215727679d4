import { z } from 'zod'
import type { RecordRow } from '../../db/record/row.ts'
import { nameOf, ownNames } from '../../domain/record.ts'
import { Entity, Id, Instant, instant, instantOrNull } from '../schemas.ts'

const Value = z.union([z.string(), z.number(), z.boolean(), z.null()])

export const ListRecord = z
  .object({
    id: Id,
    email: z.string().nullable(),
    firstName: z.string().nullable(),
    lastName: z.string().nullable(),
    fields: z.record(z.string(), Value).meta({
      description:
        'by CRM field, or by name where a column has none; null is blank, a missing one absent. A number that a double cannot hold is text.',
    }),
    crm: z
      .object({ entity: Entity, id: z.string(), state: z.enum(['linked', 'deletedInCrm', 'converted', 'merged']) })
      .nullable(),
    externalId: z.string().nullable().meta({ description: 'the caller’s own id; no two records of a list share one' }),
    suppressed: z.boolean().meta({ description: 'the address must not be mailed: see the suppressions' }),
    version: z.number().int().meta({ description: 'rises with each change' }),
    pending: z.array(z.string()).meta({ description: 'what was changed here and has not reached the CRM' }),
    held: z.array(z.string()).meta({
      description:
        'what an undo has set back, here or in the CRM: neither pushed nor pulled until it changes on either side',
    }),
    createdAt: Instant,
    updatedAt: Instant,
    removedAt: Instant.nullable(),
  })
  .meta({
    id: 'Record',
    description: 'One person on one list',
    examples: [
      {
        id: '019ab3c4-7000-7000-8000-66778899aabb',
        email: 'pat.miller@example.com',
        firstName: 'Pat',
        lastName: 'Miller',
        fields: { WorkPhone: '+1 555 0100', 'Address/City': 'Springfield', DoNotEmail: false },
        crm: { entity: 'lead', id: 'QF8AAA000001', state: 'linked' },
        externalId: 'shop-1042',
        suppressed: false,
        version: 2,
        pending: ['lastName', 'WorkPhone'],
        held: [],
        createdAt: '2026-11-23T10:00:02.000Z',
        updatedAt: '2026-11-23T11:30:00.000Z',
        removedAt: null,
      },
    ],
  })
export type ListRecord = z.infer<typeof ListRecord>

const textOf = (value: RecordRow['values'][string] | undefined): string | null =>
  value === undefined || value === null ? null : String(value)

/** `labels` in the order of the columns: domain/record.ts. */
export const recordJson = (row: RecordRow, labels: ReadonlyMap<string, string>): ListRecord => {
  const { c1, c2, c3 } = row.values
  const names = (keys: readonly string[]): string[] =>
    [...Object.values(ownNames), ...labels.keys()].filter((key) => keys.includes(key)).map((key) => nameOf(labels, key))
  return {
    id: row.id,
    email: textOf(c1),
    firstName: textOf(c2),
    lastName: textOf(c3),
    fields: Object.fromEntries(
      [...labels].flatMap(([key, label]) => {
        const value = row.values[key]
        return value === undefined ? [] : [[label, value]]
      }),
    ),
    crm: row.crmEntity && row.crmId ? { entity: row.crmEntity, id: row.crmId, state: row.crmState } : null,
    externalId: row.externalId,
    suppressed: row.suppressed,
    version: row.version,
    pending: names(row.pending),
    held: names(row.held),
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt ?? row.createdAt),
    removedAt: instantOrNull(row.removedAt),
  }
}

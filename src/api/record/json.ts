import { z } from 'zod'
import type { RecordRow } from '../../db/record/read.ts'
import type { FilterColumn } from '../../domain/filter.ts'
import { fixedColumnKeys, lockedFields } from '../../domain/list.ts'
import { Entity, Id, Instant, instant } from '../schemas.ts'

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
    createdAt: Instant,
    updatedAt: Instant,
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
        createdAt: '2026-11-23T10:00:02.000Z',
        updatedAt: '2026-11-23T10:00:02.000Z',
      },
    ],
  })
export type ListRecord = z.infer<typeof ListRecord>

/** Column key → the name that a value has in JSON; of two columns with one name the later goes by its key. */
export const labelsOf = (columns: readonly FilterColumn[]): Map<string, string> => {
  const labels = new Map<string, string>()
  const taken = new Set<string>()
  const shownApart = new Set<string>(lockedFields.map((name) => fixedColumnKeys[name] ?? ''))
  for (const { key, crmField, name } of columns) {
    if (shownApart.has(key)) continue
    const label = crmField ?? name
    labels.set(key, taken.has(label) ? key : label)
    taken.add(label)
  }
  return labels
}

const textOf = (value: RecordRow['values'][string] | undefined): string | null =>
  value === undefined || value === null ? null : String(value)

export const recordJson = (row: RecordRow, labels: Map<string, string>): ListRecord => {
  const { c1, c2, c3 } = row.values
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
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt ?? row.createdAt),
  }
}

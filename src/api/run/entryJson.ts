import { z } from 'zod'
import type * as entries from '../../db/run/entry.ts'
import { causeOf, warningSentence } from '../../domain/cause.ts'
import { CrmSaid, Entity, exampleOf, Id, Instant, instant } from '../schemas.ts'

export const EntryKind = z.enum(['created', 'updated', 'skipped', 'rejected', 'deleted', 'relinked', 'changedDuring'])

const example = {
  id: '019ab3c4-7100-7000-8000-778899aabbcc',
  kind: 'rejected',
  phase: 'pull',
  code: 'crmFailed',
  message: causeOf('crmFailed').message,
  remedy: causeOf('crmFailed').remedy,
  recordId: null,
  crm: { entity: 'lead', id: 'QF8AAA000077' },
  said: { status: 500, message: 'Object reference not set to an instance of an object.' },
  changes: null,
  warnings: [],
  row: null,
  times: 2,
  firstRunId: '019ab3c4-61f2-7a35-8d40-0b5a7c9e1f23',
  lastRunId: '019ab3c5-10aa-7bcd-9e0f-1a2b3c4d5e6f',
  at: '2026-11-23T10:00:09.000Z',
}

/** Of an entry, a submission, or an event of a timeline. */
export const EntryWarnings = z
  .array(
    z.object({
      code: z.string(),
      message: z.string(),
      field: z.string().optional(),
      fields: z.array(z.string()).optional().meta({ description: 'what was written' }),
      ids: z.array(z.string()).optional().meta({ description: 'people in the CRM; for `mergedIntoRecord` a record' }),
    }),
  )
  .meta({ description: 'what was done otherwise than asked' })

export const Entry = z
  .object({
    id: Id,
    kind: EntryKind,
    phase: z.string(),
    code: z.string().nullable().meta({ description: 'the reason' }),
    message: z.string().nullable(),
    remedy: z.string().nullable(),
    recordId: Id.nullable(),
    crm: z.object({ entity: Entity, id: z.string() }).nullable(),
    said: CrmSaid.nullable().meta({ description: 'what the CRM itself said' }),
    changes: z
      .record(
        z.string(),
        z.object({
          before: z.unknown().optional(),
          after: z.unknown().optional(),
          conflict: z
            .enum(['crmWins', 'oursWins'])
            .optional()
            .meta({ description: 'both sides had changed it: who won; `before` is the loser’s value' }),
          side: z.literal('here').optional().meta({ description: 'a push took it over here' }),
          sent: z.unknown().optional().meta({ description: 'what was sent, where the CRM made something else of it' }),
          here: z
            .object({ before: z.unknown().optional(), after: z.unknown() })
            .optional()
            .meta({ description: 'what the push made of the value here besides' }),
        }),
      )
      .nullable()
      .meta({ description: 'field → before and after, on the side that was written' }),
    warnings: EntryWarnings,
    row: z
      .object({
        line: z.number().int(),
        column: z.string().optional().meta({ description: 'header of the cell at fault' }),
        message: z.string(),
        cells: z.array(z.string()),
      })
      .nullable()
      .meta({ description: 'the row of an uploaded file, as it was read' }),
    times: z.number().int().meta({ description: 'in how many runs in a row' }),
    firstRunId: Id,
    lastRunId: Id,
    at: Instant,
  })
  .meta({ id: 'Entry', description: 'What a run did to one record', examples: [example] })
type Entry = z.infer<typeof Entry>

export const entryJson = (row: entries.Entry): Entry => {
  const { id, kind, phase, code, recordId, crmEntity, crmId, changes, times, firstRunId, lastRunId, at } = row
  const cause = code === null ? { message: null, remedy: null } : causeOf(code)
  const crm = crmEntity && crmId ? { entity: crmEntity, id: crmId } : null
  const runs = { times, firstRunId, lastRunId, at: instant(at) }
  const warnings = (row.warnings ?? []).map((each) => ({ ...each, message: warningSentence(each) }))
  return { id, kind, phase, code, ...cause, recordId, crm, said: row.crm, changes, warnings, row: row.row, ...runs }
}

export const Cause = z
  .object({
    code: z.string(),
    kind: EntryKind,
    phase: z.string(),
    count: z.number().int(),
    message: z.string(),
    remedy: z.string(),
  })
  .meta({
    id: 'Cause',
    examples: [{ code: 'crmFailed', kind: 'rejected', phase: 'pull', count: 3, ...causeOf('crmFailed') }],
  })

export const Causes = z
  .object({ items: z.array(Cause), nextCursor: z.null() })
  .meta({ examples: [{ items: [exampleOf(Cause)], nextCursor: null }] })

export const causesJson = (rows: entries.CauseCount[]): z.infer<typeof Causes> => ({
  items: rows.map((row) => ({ ...row, ...causeOf(row.code) })),
  nextCursor: null,
})

import { z } from 'zod'
import type { Note as Row } from '../../db/note/read.ts'
import { causeOf, warningSentence } from '../../domain/cause.ts'
import { noteStates } from '../../domain/delivery.ts'
import { EntryWarnings } from '../run/entryJson.ts'
import { CrmSaid, Entity, Id, Instant, instant, instantOrNull } from '../schemas.ts'

export const NoteState = z.enum(noteStates).meta({
  description:
    '`waiting`: is made by itself. `creating`: sent to the CRM. `written`: in the CRM. `skipped`: none is made, the code says why. `rejected`: needs a person. `held`: waits for the connection',
})

export const Note = z
  .object({
    deliveryId: Id,
    listId: Id.nullable(),
    recordId: Id.nullable(),
    state: NoteState,
    code: z.string().nullable().meta({ description: 'why it waits, was skipped or rejected' }),
    message: z.string().nullable(),
    remedy: z.string().nullable(),
    said: CrmSaid.nullable().meta({ description: 'what the CRM itself said' }),
    warnings: EntryWarnings,
    crm: z
      .object({ entity: Entity, id: z.string() })
      .nullable()
      .meta({ description: 'whose note it is, once that is known' }),
    noteId: z.string().nullable().meta({ description: 'id of the entry in Notes/History of the CRM' }),
    runId: Id.nullable().meta({ description: 'the run that has settled it' }),
    tries: z.number().int(),
    nextTryAt: Instant.nullable(),
    createdAt: Instant,
    writtenAt: Instant.nullable(),
  })
  .meta({
    id: 'Note',
    description: 'The “message sent” note of one delivery in the CRM',
    examples: [
      {
        deliveryId: '019ab3c6-2000-7000-8000-112233445566',
        listId: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071',
        recordId: '019ab3c4-7000-7000-8000-112233445566',
        state: 'written',
        code: null,
        message: null,
        remedy: null,
        said: null,
        warnings: [],
        crm: { entity: 'lead', id: 'QF8AAA000001' },
        noteId: 'eF8AAA000017',
        runId: '019ab3c6-3000-7000-8000-112233445566',
        tries: 0,
        nextTryAt: null,
        createdAt: '2026-11-23T10:00:01.000Z',
        writtenAt: '2026-11-23T10:00:02.000Z',
      },
    ],
  })

const isOpen = ({ state }: Row): boolean => state === 'waiting' || state === 'creating'

export const noteJson = (row: Row): z.infer<typeof Note> => {
  const cause = row.code === null ? null : causeOf(row.code)
  return {
    deliveryId: row.deliveryId,
    listId: row.listId,
    recordId: row.recordId,
    state: row.state,
    code: row.code,
    message: cause?.message ?? null,
    remedy: cause?.remedy ?? null,
    said: row.crm,
    warnings: row.warnings.map((warning) => ({ ...warning, message: warningSentence(warning) })),
    crm: row.crmEntity === null || row.crmId === null ? null : { entity: row.crmEntity, id: row.crmId },
    noteId: row.noteId,
    runId: row.runId,
    tries: row.tries,
    nextTryAt: isOpen(row) ? instant(row.dueAt) : null,
    createdAt: instant(row.createdAt),
    writtenAt: instantOrNull(row.writtenAt),
  }
}

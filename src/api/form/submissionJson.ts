import { z } from 'zod'
import type { Submission as Row } from '../../db/submission.ts'
import { submissionCauseOf, warningSentence } from '../../domain/cause.ts'
import { submissionStates } from '../../domain/form.ts'
import { EntryWarnings } from '../run/entryJson.ts'
import { CrmSaid, Entity, Id, Instant, instant, instantOrNull } from '../schemas.ts'
import { FormVersion } from './input.ts'

export const State = z.enum(submissionStates).meta({
  description:
    '`received`: stored. `pushing`: under way. `pushed`: in the CRM. `stored`: on the list, by a form that does not push. `waiting`: tried again by itself. `held`: waits for the connection. `rejected`: needs a person',
})

const Answer = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])

export const Result = z.object({
  entity: Entity,
  id: z.string(),
  kind: z.enum(['created', 'updated', 'unchanged']),
  fields: z.array(z.string()).meta({ description: 'fields of the CRM that were written' }),
})

export const Submission = z
  .object({
    id: Id,
    formId: Id,
    version: FormVersion.meta({ description: 'of the form, by which it was made' }),
    state: State,
    code: z.string().nullable().meta({ description: 'why it waits, is held or was rejected' }),
    message: z.string().nullable(),
    remedy: z.string().nullable(),
    detail: z.string().nullable(),
    said: CrmSaid.nullable().meta({ description: 'what the CRM itself said' }),
    warnings: EntryWarnings,
    answers: z.record(z.string(), Answer).meta({ description: 'by field; missing: not answered, `""`: left blank' }),
    language: z.string().nullable(),
    recordId: Id.nullable().meta({ description: 'of the form’s list' }),
    results: z.array(Result).meta({ description: 'what became of whom in the CRM' }),
    by: z.object({ apiKeyId: Id, name: z.string().nullable() }).nullable().meta({ description: 'null: by the page' }),
    tries: z.number().int(),
    nextTryAt: Instant.nullable(),
    receivedAt: Instant,
    settledAt: Instant.nullable(),
  })
  .meta({
    id: 'Submission',
    examples: [
      {
        id: '019ab3c6-1000-7000-8000-112233445566',
        formId: '019ab3c4-7b00-7000-8000-778899001122',
        version: 1,
        state: 'pushed',
        code: null,
        message: null,
        remedy: null,
        detail: null,
        said: null,
        warnings: [],
        answers: { email: 'pat.miller@example.com', lastName: 'Miller', company: 'Miller Ltd', agrees: true },
        language: 'en',
        recordId: '019ab3c6-1100-7000-8000-223344556677',
        results: [{ entity: 'lead', id: 'QF8AAA000123', kind: 'created', fields: ['Email', 'LastName', 'Company'] }],
        by: null,
        tries: 1,
        nextTryAt: null,
        receivedAt: '2026-11-23T10:00:00.000Z',
        settledAt: '2026-11-23T10:00:00.600Z',
      },
    ],
  })

export const submissionJson = (row: Row): z.infer<typeof Submission> => {
  const { id, formId, version, state, code, detail, crm, warnings, answers, language, recordId, results, tries } = row
  const cause = code === null ? null : submissionCauseOf(code)
  return {
    id,
    formId,
    version,
    state,
    code,
    message: cause?.message ?? null,
    remedy: cause?.remedy ?? null,
    detail,
    said: crm,
    warnings: warnings.map((warning) => ({ ...warning, message: warningSentence(warning) })),
    answers,
    language,
    recordId,
    results,
    by: row.apiKeyId === null ? null : { apiKeyId: row.apiKeyId, name: row.apiKeyName },
    tries,
    nextTryAt: state === 'waiting' ? instant(row.dueAt) : null,
    receivedAt: instant(row.receivedAt),
    settledAt: instantOrNull(row.settledAt),
  }
}

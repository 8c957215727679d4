import { z } from 'zod'
import type { Column } from '../../db/column.ts'
import { editChanges, type TimelineEvent } from '../../db/record/timeline.ts'
import { warningSentence } from '../../domain/cause.ts'
import { namesOf } from '../../domain/counterpart.ts'
import type { EntryWarning } from '../../domain/run.ts'
import {
  deliveryEventKind,
  entryChanges,
  entryEventKind,
  entryRule,
  eventCause,
  ruleSentence,
  timelineKinds,
  timelineRules,
  type TimelineChange,
  type TimelineKind,
  type TimelineRule,
} from '../../domain/timeline.ts'
import { State as DeliveryState } from '../delivery/json.ts'
import { Result, State } from '../form/submissionJson.ts'
import { Confirmed } from '../suppression/json.ts'
import { suppressionReasons, suppressionSources } from '../../domain/suppression.ts'
import { CrmSaid, Entity, Id, Instant, instant } from '../schemas.ts'
import { EntryWarnings } from '../run/entryJson.ts'
import { RunKind } from '../run/json.ts'

const Value = z.union([z.string(), z.number(), z.boolean(), z.null()])
const BeforeAfter = { before: Value.optional(), after: Value.optional() }

const Change = z
  .object({
    ...BeforeAfter,
    side: z.enum(['here', 'crm']).nullable().meta({
      description:
        'where `before` became `after`; null: nowhere, a verification found `before` here and `after` in the CRM',
    }),
    conflict: z
      .enum(['crmWins', 'oursWins'])
      .optional()
      .meta({ description: 'both sides had changed it: who won; `before` is the loser’s value' }),
    sent: Value.optional().meta({ description: 'what was sent, where the CRM made something else of it' }),
    here: z
      .object(BeforeAfter)
      .optional()
      .meta({ description: 'what a push made of the value here besides: the CRM cut or rewrote it' }),
  })
  .meta({ id: 'TimelineChange' })

const Person = z.object({ entity: Entity, id: z.string() })
const By = z.object({ apiKeyId: Id, name: z.string().nullable() })

/** What most events have nothing of. */
const nothingElse = {
  otherRecordId: null,
  said: null,
  warnings: [],
  candidates: null,
  values: null,
  complete: null,
  submission: null,
  delivery: null,
  suppression: null,
  times: 1,
}

const example = {
  id: '019ab3c5-2200-7000-8000-8899aabbccdd',
  at: '2026-11-23T11:31:12.000Z',
  kind: 'pushed',
  message: eventCause('pushed', null).message,
  remedy: null,
  code: null,
  rule: { code: 'matchedById', message: ruleSentence('matchedById') },
  run: { id: '019ab3c5-10aa-7bcd-9e0f-1a2b3c4d5e6f', kind: 'sync', trigger: 'api' },
  by: null,
  crm: { entity: 'lead', id: 'QF8AAA000001' },
  changes: {
    WorkPhone: {
      before: '+1 555 0100',
      after: '15550199',
      side: 'crm',
      sent: '+1 555 0199',
      here: { before: '+1 555 0199', after: '15550199' },
    },
  },
  ...nothingElse,
  lastRunId: null,
  lastAt: '2026-11-23T11:31:12.000Z',
}

export const Event = z
  .object({
    id: z.string(),
    at: Instant,
    kind: z.enum(timelineKinds),
    message: z.string().meta({ description: 'what happened' }),
    remedy: z.string().nullable(),
    code: z.string().nullable().meta({ description: 'the reason of an entry' }),
    rule: z
      .object({ code: z.enum(timelineRules), message: z.string() })
      .nullable()
      .meta({ description: 'by which rule it came to this record, or to this person in the CRM' }),
    run: z.object({ id: Id, kind: RunKind, trigger: z.enum(['api', 'schedule', 'system']) }).nullable(),
    by: By.nullable().meta({ description: 'whose key; null for a run, and for an operator' }),
    crm: Person.nullable(),
    changes: z.record(z.string(), Change).meta({ description: 'by field; what was absent has no `before`' }),
    otherRecordId: Id.nullable().meta({
      description: 'the record that went into this one, or that this one went into',
    }),
    said: CrmSaid.nullable().meta({ description: 'what the CRM itself said' }),
    warnings: EntryWarnings,
    candidates: z.array(Person).nullable().meta({ description: 'people in the CRM among whom was to be decided' }),
    values: z
      .record(z.string(), Value)
      .nullable()
      .meta({ description: 'of the making: the values that the record was made with, by field' }),
    complete: z.boolean().nullable().meta({
      description:
        'of the making: false where the record is older than its history is kept; then `values` are those before the oldest event',
    }),
    submission: z
      .object({ id: Id, form: z.object({ id: Id, name: z.string() }), state: State, results: z.array(Result) })
      .nullable()
      .meta({
        description: 'of a form that the person filled in, and of what it made or changed here: what became of it',
      }),
    delivery: z
      .object({
        id: Id,
        message: z.object({ id: Id, name: z.string() }),
        state: DeliveryState,
        said: z.object({ status: z.number().int(), code: z.string().nullable() }).nullable(),
      })
      .nullable()
      .meta({ description: 'of a message: its mail to the record; the event stands where its audience was frozen' }),
    suppression: z
      .object({
        id: Id,
        reason: z.enum(suppressionReasons),
        source: z.enum(suppressionSources),
        evidence: z.string().nullable(),
        doNotEmail: z.boolean().nullable().meta({ description: 'what the CRM was told' }),
        people: z.array(Confirmed).meta({ description: 'who has it so in the CRM, and when the CRM said so' }),
      })
      .nullable()
      .meta({
        description:
          'what was said about e-mail to the address, with the evidence, and what the CRM has confirmed of it',
      }),
    times: z.number().int().meta({ description: 'in how many runs in a row' }),
    lastRunId: Id.nullable().meta({ description: 'the last of these runs' }),
    lastAt: Instant,
  })
  .meta({ id: 'TimelineEvent', description: 'What happened to a record', examples: [example] })
export type Event = z.infer<typeof Event>

/** Decimals that a double cannot hold are text, as in a record. */
export const plain = (value: unknown): z.infer<typeof Value> =>
  (typeof value === 'object' && value !== null && 'bigDecimal' in value ? String(value.bigDecimal) : value) as z.infer<
    typeof Value
  >

export type Names = (key: string) => string

/** Column key → name, as settings and entries have it; of a column that was removed the one that it had, if nobody else has it now. */
export const namesFor = (known: readonly Column[], lost: ReadonlyMap<string, string>): Names => {
  const names = namesOf(known)
  const taken = new Set(names.values())
  return (key) => {
    const old = lost.get(key)
    return names.get(key) ?? (old === undefined || taken.has(old) ? key : old)
  }
}

export const namedValues = (values: Record<string, unknown>, name: Names): Record<string, z.infer<typeof Value>> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [name(key), plain(value)]))

const both = ({ before, after }: { before?: unknown; after?: unknown }) => ({
  ...(before === undefined ? {} : { before: plain(before) }),
  ...(after === undefined ? {} : { after: plain(after) }),
})

const changesJson = (changes: Record<string, TimelineChange>, name: Names): Event['changes'] =>
  Object.fromEntries(
    Object.entries(changes).map(([key, change]) => [
      name(key),
      {
        ...both(change),
        side: change.side,
        ...(change.conflict && { conflict: change.conflict }),
        ...(change.sent === undefined ? {} : { sent: plain(change.sent) }),
        ...(change.here && { here: both(change.here) }),
      },
    ]),
  )

const warningsJson = (warnings: readonly EntryWarning[], name: Names): Event['warnings'] =>
  warnings.map(({ field, fields, ...warning }) => {
    const named = {
      ...warning,
      ...(field !== undefined && { field: name(field) }),
      ...(fields !== undefined && { fields: fields.map(name) }),
    }
    return { ...named, message: warningSentence(named) }
  })

const timeOf = (id: string): string => instant(new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)))
const ruleJson = (rule: TimelineRule | null): Event['rule'] => rule && { code: rule, message: ruleSentence(rule) }

type Run = { runId?: string | null; runKind?: string | null; runTrigger?: string | null }
const runJson = ({ runId, runKind, runTrigger }: Run): Event['run'] =>
  runId && runKind ? ({ id: runId, kind: runKind, trigger: runTrigger } as Event['run']) : null

type Key = { apiKeyId?: string | null; apiKeyName?: string | null }
const byJson = ({ apiKeyId, apiKeyName }: Key): Event['by'] =>
  apiKeyId ? { apiKeyId, name: apiKeyName ?? null } : null

type FilledIn = { [Key in 'submissionId' | 'formId' | 'formName' | 'state' | 'results']?: Of<'submission'>[Key] | null }
const submissionOf = ({ submissionId, formId, formName, state, results }: FilledIn): Event['submission'] =>
  submissionId && formId && formName && state && results
    ? { id: submissionId, form: { id: formId, name: formName }, state, results }
    : null

const personJson = (entity: string | null | undefined, id: string | null | undefined): Event['crm'] =>
  entity && id ? ({ entity, id } as Event['crm']) : null

const blank = (id: string, kind: TimelineKind, code: string | null = null): Event => ({
  id,
  at: timeOf(id),
  kind,
  ...eventCause(kind, code),
  code,
  rule: null,
  run: null,
  by: null,
  crm: null,
  changes: {},
  ...nothingElse,
  lastRunId: null,
  lastAt: timeOf(id),
})

type Of<Kind> = Extract<TimelineEvent, { of: Kind }>

const entryEvent = (row: Of<'entry'>, name: Names): Event => {
  const crm = personJson(row.crmEntity, row.crmId)
  return {
    ...blank(row.id, entryEventKind(row), row.code),
    rule: ruleJson(row.decided ? 'decidedByPerson' : entryRule(row, crm !== null)),
    run: runJson(row),
    crm,
    changes: changesJson(entryChanges(row), name),
    otherRecordId: row.warnings?.find(({ code }) => code === 'mergedIntoRecord')?.ids?.[0] ?? null,
    said: row.said,
    warnings: warningsJson(row.warnings ?? [], name),
    times: row.times,
    lastRunId: row.lastRunId,
    ...(row.times > 1 && { lastAt: instant(row.lastAt) }),
  }
}

const editRule = ({ kind, otherId, runId }: Of<'edit'>): TimelineRule | null => {
  if (kind === 'taken' || kind === 'seen') return 'matchedById'
  if (otherId === null) return null
  return runId === null ? 'duplicate' : 'merged'
}

const editEvent = (row: Of<'edit'>, name: Names): Event => ({
  ...blank(row.id, row.kind),
  rule: ruleJson(editRule(row)),
  run: runJson(row),
  by: byJson(row),
  changes: changesJson(editChanges(row.changes), name),
  otherRecordId: row.otherId,
  submission: submissionOf(row),
})

const decisionEvent = (row: Of<'asked' | 'decided'>): Event => ({
  ...blank(row.id, row.of),
  rule: ruleJson(row.of === 'asked' ? 'severalMatches' : 'decidedByPerson'),
  run: row.of === 'asked' ? runJson(row) : null,
  by: row.of === 'decided' ? byJson(row) : null,
  crm: row.of === 'decided' ? personJson(row.chosenEntity, row.chosenId) : personJson(row.crmEntity, row.crmId),
  candidates: row.candidates.map(({ entity, id }) => ({ entity, id })),
})

/** Names of fields in its warnings are the form's own, or the CRM's. */
const submissionEvent = (row: Of<'submission'>): Event => ({
  ...blank(row.id, 'filledIn', row.code),
  by: byJson(row),
  said: row.said,
  warnings: warningsJson(row.warnings, (field) => field),
  submission: submissionOf(row),
})

const deliveryEvent = (row: Of<'delivery'>): Event => ({
  ...blank(row.id, deliveryEventKind(row.deliveryState), row.code),
  run: runJson(row),
  crm: personJson(row.crmEntity, row.crmId),
  delivery: {
    id: row.id,
    message: { id: row.messageId, name: row.messageName },
    state: row.deliveryState,
    said: row.smtpStatus === null ? null : { status: row.smtpStatus, code: row.smtpCode },
  },
})

const suppressionEvent = ({ id, of, suppression: row }: Of<'suppressed' | 'lifted'>): Event => ({
  ...blank(id, of),
  by: byJson({ apiKeyId: of === 'lifted' ? row.liftedBy : row.createdBy, apiKeyName: row.apiKeyName }),
  suppression: {
    id: row.id,
    reason: row.reason,
    source: row.source,
    evidence: of === 'lifted' ? row.liftEvidence : row.evidence,
    doNotEmail: null,
    people: [],
  },
})

const optOutEvent = ({ id, optOut: { doNotEmail, results, code, crm }, suppression: row }: Of<'optOut'>): Event => {
  const evidence = doNotEmail ? row.evidence : row.liftEvidence
  const { id: suppressionId, reason, source } = row
  return {
    ...blank(id, 'optOutWritten', code),
    said: crm,
    suppression: { id: suppressionId, reason, source, evidence, doNotEmail, people: results },
  }
}

const noteKinds = { skipped: 'skipped', rejected: 'rejected' } as const

const noteEvent = (row: Of<'note'>): Event => ({
  ...blank(row.id, noteKinds[row.state as 'skipped'] ?? 'noted', row.code),
  run: runJson(row),
  crm: personJson(row.crmEntity, row.crmId),
  said: row.said,
  warnings: warningsJson(row.warnings, (field) => field),
})

/** `first`: what only the making says. */
export const eventJson = (
  row: TimelineEvent,
  name: Names,
  first: Pick<Event, 'crm' | 'values' | 'complete'>,
): Event => {
  if (row.of === 'entry') return entryEvent(row, name)
  if (row.of === 'edit') return editEvent(row, name)
  if (row.of === 'submission') return submissionEvent(row)
  if (row.of === 'delivery') return deliveryEvent(row)
  if (row.of === 'optOut') return optOutEvent(row)
  if (row.of === 'suppressed' || row.of === 'lifted') return suppressionEvent(row)
  if (row.of === 'note') return noteEvent(row)
  if (row.of !== 'creation') return decisionEvent(row)
  const isPulled = row.runKind !== undefined && row.runKind !== 'upload'
  return {
    ...blank(row.id, 'created'),
    ...first,
    rule: ruleJson(isPulled ? 'matchedById' : null),
    run: runJson(row),
    by: byJson(row),
    submission: submissionOf(row),
    crm: isPulled ? first.crm : null,
  }
}

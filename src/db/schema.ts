import { sql } from 'drizzle-orm'
import {
  bigint,
  bigserial,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { CrmEntity, CrmField, FieldType } from '../domain/crm.ts'
import type { Filter } from '../domain/filter.ts'
import type {
  Balance,
  EntryChanges,
  EntryKind,
  EntryRow,
  EntryWarning,
  PhaseCounts,
  RunError,
  RunKind,
  RunSettings,
  RunState,
  RunTrigger,
  RunWarning,
} from '../domain/run.ts'
import type { AmbiguousMatch, ConflictRule, Role, UnmappedAddress } from '../domain/account.ts'
import type { ConnectionProblem, ConnectionState } from '../domain/connection.ts'
import type { DecisionCandidate, DecisionKind } from '../domain/decision.ts'
import type { EditChanges, EditKind } from '../domain/edit.ts'
import type { Answers, FormDefinition, SubmissionResult, SubmissionState } from '../domain/form.ts'
import type { LaneKind, LanePhase } from '../domain/lane.ts'
import type { ListKind } from '../domain/list.ts'
import type { SuppressionReason, SuppressionSource } from '../domain/suppression.ts'
import type { FiredBy, FiringOutcome, PausedBy, ScheduleSpec, ScheduleState } from '../domain/schedule.ts'
import type {
  AlertDetails,
  AlertKind,
  Attempt,
  DeliveryChannel,
  DeliveryEvent,
  DeliveryState as AlertDeliveryState,
} from '../domain/alert.ts'
import type { Bounce, DeliveryState, NoteState } from '../domain/delivery.ts'
import type { ErasureProof } from '../domain/erasure.ts'
import type { OptOutResult, OptOutState } from '../domain/optOut.ts'
import type { MessageDefinition, MessageState } from '../domain/message.ts'
import type { PullSettings, PushSettings } from '../domain/sync.ts'

const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })
const id = () =>
  uuid()
    .primaryKey()
    .default(sql`uuidv7()`)
const at = () => timestamp({ withTimezone: true, precision: 3, mode: 'date' })
const createdAt = () =>
  at()
    .notNull()
    .default(sql`now()`)
const accountId = () =>
  uuid()
    .notNull()
    .references(() => accounts.id)

export const accounts = pgTable('accounts', {
  id: id(),
  name: text().notNull(),
  timeZone: text().notNull().default('UTC'),
  connectorEnabled: boolean().notNull().default(true),
  ambiguousMatch: text().$type<AmbiguousMatch>().notNull().default('best'),
  unmappedAddress: text().$type<UnmappedAddress>().notNull().default('push'),
  /** grows with every save of the standard fields */
  standardFieldsVersion: integer().notNull().default(0),
  conflict: text().$type<ConflictRule>().notNull().default('crmWins'),
  /** R33: how long the preview of a mail is kept after it was sent */
  previewMonths: integer().notNull().default(24),
  /** administrators who are told of alerts by mail */
  alertEmails: jsonb().$type<string[]>().notNull().default([]),
  /** encrypted; keys the hashes of e-mail addresses, so that they mean nothing outside this account */
  hashKey: text().notNull(),
  createdAt: createdAt(),
})

export const apiKeys = pgTable(
  'api_keys',
  {
    id: id(),
    accountId: accountId(),
    name: text().notNull(),
    role: text().$type<Role>().notNull(),
    /** SHA-256 of the key, which is 256 random bits */
    hash: bytea().notNull().unique(),
    /** the first characters, to recognise it by */
    prefix: text().notNull(),
    createdAt: createdAt(),
    expiresAt: at(),
    revokedAt: at(),
    lastUsedAt: at(),
  },
  (t) => [index().on(t.accountId)],
)

export const audit = pgTable(
  'audit',
  {
    id: id(),
    accountId: accountId(),
    /** null: an operator at the command line */
    apiKeyId: uuid(),
    action: text().notNull(),
    targetId: text(),
    /** names of what changed, never secrets or people */
    details: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    requestId: text(),
    at: createdAt(),
  },
  (t) => [index().on(t.accountId, t.id)],
)

export const connections = pgTable(
  'connections',
  {
    id: id(),
    accountId: accountId(),
    state: text().$type<ConnectionState>().notNull().default('disconnected'),
    /** false once another CRM took its place; its links stay, inactive (C3) */
    active: boolean().notNull().default(true),
    url: text(),
    username: text(),
    /** encrypted; null after a reset */
    secret: text(),
    version: text(),
    family: text(),
    crmUserId: text(),
    rights: jsonb().$type<string[]>(),
    /** the most concurrent requests (R26) */
    concurrency: integer().notNull().default(4),
    problem: jsonb().$type<ConnectionProblem>(),
    /** when the login was accepted last, or refused */
    checkedAt: at(),
    /** who checks the login at this moment, and how long at most (R21: one at a time) */
    checkingBy: uuid(),
    checkingUntil: at(),
    connectedAt: at(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('connections_active')
      .on(t.accountId)
      .where(sql`active`),
    check('connections_concurrency', sql`concurrency between 1 and 32`),
  ],
)

/** New credentials that are being checked; the secret goes when they are refused (docs/decisions/0007). */
export const candidates = pgTable('connection_candidates', {
  connectionId: uuid()
    .primaryKey()
    .references(() => connections.id),
  /** names this attempt: what a check of earlier credentials finds out says nothing about these */
  id: uuid()
    .notNull()
    .default(sql`uuidv7()`),
  accountId: accountId(),
  url: text().notNull(),
  username: text().notNull(),
  secret: text(),
  state: text().$type<'checking' | 'accepted' | 'refused'>().notNull().default('checking'),
  problem: jsonb().$type<ConnectionProblem>(),
  createdAt: createdAt(),
})

export const crmFields = pgTable(
  'crm_fields',
  {
    connectionId: uuid()
      .notNull()
      .references(() => connections.id),
    entity: text().$type<CrmEntity>().notNull(),
    accountId: accountId(),
    fields: jsonb().$type<CrmField[]>().notNull(),
    readAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.connectionId, t.entity] })],
)

/** F1: items of picklists that forms offer as choices, as people see them. */
export const crmPicklists = pgTable(
  'crm_picklists',
  {
    connectionId: uuid()
      .notNull()
      .references(() => connections.id),
    entity: text().$type<CrmEntity>().notNull(),
    field: text().notNull(),
    accountId: accountId(),
    items: jsonb().$type<string[]>().notNull(),
    readAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.connectionId, t.entity, t.field] })],
)

/** What is known of a CRM person beyond the records: a row exists only for those that are not simply there. */
export const crmPeople = pgTable(
  'crm_people',
  {
    connectionId: uuid()
      .notNull()
      .references(() => connections.id),
    entity: text().$type<CrmEntity>().notNull(),
    crmId: text().notNull(),
    accountId: accountId(),
    state: text().$type<'deletedInCrm' | 'converted' | 'merged'>().notNull(),
    successorEntity: text().$type<CrmEntity>(),
    successorId: text(),
    runId: uuid(),
    since: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.connectionId, t.entity, t.crmId] })],
)

export const folders = pgTable(
  'folders',
  {
    id: id(),
    accountId: accountId(),
    name: text().notNull(),
    position: integer().notNull().default(0),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('folders_name').on(t.accountId, sql`lower(${t.name})`)],
)

export const lists = pgTable(
  'lists',
  {
    id: id(),
    accountId: accountId(),
    folderId: uuid()
      .notNull()
      .references(() => folders.id),
    name: text().notNull(),
    kind: text().$type<ListKind>().notNull(),
    connectionId: uuid().references(() => connections.id),
    /** 0 is the top of the folder */
    position: integer().notNull().default(0),
    /** R14: by the CRM's clock */
    mark: at(),
    /** since when the next sync must read everybody, because more is pulled than before; null when nothing is owed */
    widenedAt: at(),
    /** R16: by the CRM's clock, when every linked person of the list was last known to be there */
    sweptMark: at(),
    recordCount: integer().notNull().default(0),
    /** CRM user of the last complete sweep: what another user sees proves no deletion by itself (R15) */
    sweptByUser: text(),
    nextColumn: integer().notNull().default(1),
    createdAt: createdAt(),
    removedAt: at(),
  },
  (t) => [
    index().on(t.accountId, t.folderId, t.position),
    uniqueIndex('lists_name')
      .on(t.folderId, sql`lower(${t.name})`)
      .where(sql`removed_at is null`),
  ],
)

/** A1: account-wide names of columns, and what each is in the CRM. */
export const standardFields = pgTable(
  'standard_fields',
  {
    id: id(),
    accountId: accountId(),
    name: text().notNull(),
    /** further names that columns are recognised by */
    aliases: jsonb().$type<string[]>().notNull().default([]),
    /** code of what the CRM uses it as (domain/standardField.ts); null: known by name only */
    systemUsage: text(),
    leadField: text(),
    contactField: text(),
    position: integer().notNull(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('standard_fields_name').on(t.accountId, sql`lower(${t.name})`)],
)

export const columns = pgTable(
  'columns',
  {
    id: id(),
    accountId: accountId(),
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    /** short and stable (`c9`): the name of the value in records.fields */
    key: text().notNull(),
    name: text().notNull(),
    type: text().$type<FieldType>().notNull(),
    /** canonical name of the bound CRM field */
    crmField: text(),
    /** what a column without a bound field is in the CRM (A1) */
    standardFieldId: uuid().references(() => standardFields.id, { onDelete: 'set null' }),
    /** a person has said what it means, or that it means nothing: it is not recognised anew */
    standardFieldSaid: boolean().notNull().default(false),
    /** since when it means what it means in the CRM */
    standardSince: at(),
    /** since when it is another field of the CRM than before: the next run marks its values to be compared for the first time (R13); then null */
    uncomparedAt: at(),
    maxLength: integer(),
    custom: boolean().notNull().default(false),
    /** always there: Email, FirstName, LastName */
    locked: boolean().notNull().default(false),
    /** read for Fairlead's own use: CreateDate, ModifyDate, DoNotEmail, DoNotSolicit */
    system: boolean().notNull().default(false),
    position: integer().notNull(),
    /** the CRM no longer knows the field (R24) */
    staleAt: at(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('columns_key').on(t.listId, t.key),
    uniqueIndex('columns_crm_field').on(t.listId, sql`lower(${t.crmField})`),
  ],
)

/** How columns were called when they were removed: what still refers to a key can say which column it was. */
export const removedColumns = pgTable(
  'removed_columns',
  {
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    key: text().notNull(),
    accountId: accountId(),
    name: text().notNull(),
    removedAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.listId, t.key] })],
)

export const segments = pgTable(
  'segments',
  {
    id: id(),
    accountId: accountId(),
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    name: text().notNull(),
    version: integer().notNull().default(1),
    /** by column key, so that renaming a column harms nothing */
    definition: jsonb().$type<Filter>().notNull(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    removedAt: at(),
  },
  (t) => [
    index('segments_list').on(t.listId, t.id),
    uniqueIndex('segments_name')
      .on(t.listId, sql`lower(${t.name})`)
      .where(sql`removed_at is null`),
  ],
)

/** Every state that a segment was saved in, the present one included. */
export const segmentVersions = pgTable(
  'segment_versions',
  {
    segmentId: uuid()
      .notNull()
      .references(() => segments.id),
    version: integer().notNull(),
    accountId: accountId(),
    name: text().notNull(),
    definition: jsonb().$type<Filter>().notNull(),
    apiKeyId: uuid(),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.segmentId, t.version] })],
)

/** R34: addresses that must not be mailed, and the evidence why. A lifted one stays as history. */
export const suppressions = pgTable(
  'suppressions',
  {
    id: id(),
    accountId: accountId(),
    emailKey: bytea().notNull(),
    /** as it was given; null after an erasure, which leaves the hash (R40) */
    email: text(),
    reason: text().$type<SuppressionReason>().notNull(),
    source: text().$type<SuppressionSource>().notNull(),
    evidence: text(),
    createdAt: createdAt(),
    createdBy: uuid(),
    liftedAt: at(),
    liftedBy: uuid(),
    liftEvidence: text(),
  },
  (t) => [
    uniqueIndex('suppressions_active')
      .on(t.accountId, t.emailKey, t.source)
      .where(sql`lifted_at is null`),
    index('suppressions_account').on(t.accountId, t.id),
    index('suppressions_email').on(t.accountId, t.emailKey, t.id),
  ],
)

/** S1–S6: what a list pushes and pulls, or what a segment pushes, by column key. Without a row there are the defaults, version 0. */
export const syncSettings = pgTable('sync_settings', {
  /** the segment, else the list */
  holderId: uuid().primaryKey(),
  listId: uuid()
    .notNull()
    .references(() => lists.id),
  segmentId: uuid().references(() => segments.id),
  accountId: accountId(),
  version: integer().notNull(),
  push: jsonb().$type<PushSettings>().notNull(),
  pull: jsonb().$type<PullSettings>().notNull(),
  updatedAt: createdAt(),
})

/** CRM people whom the next sync of a list reads by id: those read and not stored, restored records, what a verification found. */
export const lateRows = pgTable(
  'late_rows',
  {
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    entity: text().$type<CrmEntity>().notNull(),
    crmId: text().notNull(),
    accountId: accountId(),
    since: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.listId, t.entity, t.crmId] })],
)

/**
 * R7: who creates a person in the CRM, one at a time for each address. Recorded before the request goes out; what has no answer is looked up
 * in the CRM before it is sent again.
 */
export const creations = pgTable(
  'creations',
  {
    connectionId: uuid()
      .notNull()
      .references(() => connections.id),
    emailKey: bytea().notNull(),
    accountId: accountId(),
    recordId: uuid().notNull(),
    runId: uuid().notNull(),
    claimedAt: createdAt(),
    /** when the request went out; it may still be carried out long after our time-out */
    sentAt: at(),
    /** the address as it was sent, until there is an answer: the record may get another one meanwhile */
    email: text(),
    doneAt: at(),
    crmEntity: text().$type<CrmEntity>(),
    crmId: text(),
  },
  (t) => [primaryKey({ columns: [t.connectionId, t.emailKey] }), index().on(t.recordId)],
)

/** Records that a push came by and could not settle then: a failure that may pass, a creation without an answer, a twin of another record. */
export const putOff = pgTable(
  'put_off',
  {
    runId: uuid()
      .notNull()
      .references(() => runs.id),
    recordId: uuid().notNull(),
    accountId: accountId(),
    tries: integer().notNull().default(0),
    dueAt: at()
      .notNull()
      .default(sql`now()`),
  },
  (t) => [primaryKey({ columns: [t.runId, t.recordId] }), index().on(t.runId, t.dueAt)],
)

export const records = pgTable(
  'records',
  {
    id: id(),
    accountId: uuid().notNull(),
    /** without a foreign key, which a row's insert pays for (decision 38); lists are never deleted */
    listId: uuid().notNull(),
    crmEntity: text().$type<CrmEntity>(),
    crmId: text(),
    /** keyed hash of the normalised address (R2, R37); null without one */
    emailKey: bytea(),
    /** column key → value; a missing key is absent, null is blank (R8) */
    fields: jsonb().$type<Record<string, unknown>>().notNull(),
    /** column key → what both sides agreed on, for values edited here since then (domain/sync.ts) */
    agreed: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    externalId: text(),
    version: integer().notNull().default(1),
    createdRunId: uuid(),
    updatedAt: at(),
    removedAt: at(),
    /** the record that took its place on the list (R1, R16) */
    mergedInto: uuid(),
  },
  (t) => [
    uniqueIndex('records_crm').on(t.listId, t.crmEntity, t.crmId),
    index('records_list').on(t.listId, t.id),
    index('records_email').on(t.emailKey),
    uniqueIndex('records_external')
      .on(t.listId, t.externalId)
      .where(sql`external_id is not null`),
    /** those that can be restored */
    index('records_removed')
      .on(t.listId, t.id)
      .where(sql`removed_at is not null`),
    /** what a push looks at: a thousand among a million */
    index('records_pending')
      .on(t.listId, t.id)
      .where(sql`agreed <> '{}' or crm_id is null`),
  ],
)

export const runs = pgTable(
  'runs',
  {
    id: id(),
    accountId: accountId(),
    kind: text().$type<RunKind>().notNull(),
    state: text().$type<RunState>().notNull().default('queued'),
    trigger: text().$type<RunTrigger>().notNull(),
    listId: uuid().references(() => lists.id),
    /** the segment of the list that is pushed (P2) */
    segmentId: uuid().references(() => segments.id),
    /** what is sent, or noted in the CRM */
    messageId: uuid().references(() => messages.id),
    connectionId: uuid().references(() => connections.id),
    entity: text().$type<CrmEntity>(),
    /** what the run was asked to do, as it began (S6) */
    settings: jsonb().$type<RunSettings>().notNull().default({}),
    phase: text()
      .$type<'read' | 'compare' | 'push' | 'upload' | 'send' | 'notes' | 'finish'>()
      .notNull()
      .default('read'),
    /** R14: fixed before the read begins */
    mark: at(),
    /** what the CRM says it has: a hint */
    total: integer(),
    /** who the run began as in the CRM: what another user sees proves no deletion (R15) */
    crmUserId: text(),
    /** final sums; while a run works they are the sums of its lanes */
    counts: jsonb().$type<Record<string, PhaseCounts>>(),
    balance: jsonb().$type<Balance>(),
    warnings: jsonb().$type<RunWarning[]>().notNull().default([]),
    /** why it ended short, or, while it works, what it is waiting for */
    error: jsonb().$type<RunError>(),
    workflowId: text().notNull(),
    queuedAt: createdAt(),
    startedAt: at(),
    finishedAt: at(),
    cancelRequestedAt: at(),
  },
  (t) => [
    uniqueIndex('runs_active')
      .on(t.listId)
      .where(sql`state in ('running', 'held') and kind not in ('upload', 'preview')`),
    uniqueIndex('runs_queued')
      .on(t.listId)
      .where(sql`state = 'queued' and kind not in ('upload', 'preview')`),
    /** one preview of a list or segment at a time, beside its syncs */
    uniqueIndex('runs_preview')
      .on(t.listId, sql`coalesce(${t.segmentId}, ${t.listId})`)
      .where(sql`state in ('queued', 'running', 'held') and kind = 'preview'`),
    /** uploads are edits: they take turns among themselves, not with syncs */
    uniqueIndex('runs_upload')
      .on(t.listId)
      .where(sql`state = 'running' and kind = 'upload'`),
    /** one sends a message, one makes its notes */
    uniqueIndex('runs_message')
      .on(t.messageId, t.kind)
      .where(sql`state in ('queued', 'running', 'held')`),
    index('runs_account').on(t.accountId, t.id),
    index('runs_list').on(t.listId, t.id),
  ],
)

/** P2: the records of a segment that its run pushes, as they were when it began. */
export const runMembers = pgTable(
  'run_members',
  {
    runId: uuid()
      .notNull()
      .references(() => runs.id),
    recordId: uuid().notNull(),
    accountId: accountId(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.recordId] })],
)

/** T1–T3: when a list or a segment syncs by itself. An active schedule holds one of the account's ten slots (R18). */
export const schedules = pgTable(
  'schedules',
  {
    id: id(),
    accountId: accountId(),
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    segmentId: uuid().references(() => segments.id),
    /** 1 to 10; null while it is not active */
    slot: integer(),
    state: text().$type<ScheduleState>().notNull(),
    pausedBy: text().$type<PausedBy>(),
    spec: jsonb().$type<ScheduleSpec>().notNull(),
    /** grows with every change; the engine was given `appliedGeneration` last */
    generation: integer().notNull().default(1),
    appliedGeneration: integer(),
    /** when it was compared with the engine's schedule last */
    checkedAt: at(),
    /** every due time until then is accounted for by a firing */
    accountedUntil: createdAt(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [
    uniqueIndex('schedules_slot')
      .on(t.accountId, t.slot)
      .where(sql`slot is not null`),
    uniqueIndex('schedules_list')
      .on(t.listId)
      .where(sql`segment_id is null and state <> 'removed'`),
    uniqueIndex('schedules_segment')
      .on(t.segmentId)
      .where(sql`state <> 'removed'`),
    check('schedules_slots', sql`slot between 1 and 10`),
    check('schedules_active', sql`(state = 'active') = (slot is not null)`),
  ],
)

/** What became of each due time of a schedule; of a repeated local time only the first is one (R20). */
export const firings = pgTable(
  'firings',
  {
    scheduleId: uuid()
      .notNull()
      .references(() => schedules.id),
    /** in the schedule's time zone, YYYY-MM-DDTHH:MM */
    localTime: text().notNull(),
    accountId: accountId(),
    dueAt: at().notNull(),
    outcome: text().$type<FiringOutcome>().notNull(),
    /** why nothing was started */
    code: text(),
    /** the run that it started, that was under way, or that caught up for it */
    runId: uuid().references(() => runs.id),
    firedBy: text().$type<FiredBy>().notNull().default('engine'),
    at: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.scheduleId, t.dueAt] })],
)

/** Problems that administrators and programs are told of: one row from the day it opened until it is over. */
export const alerts = pgTable(
  'alerts',
  {
    id: id(),
    accountId: accountId(),
    kind: text().$type<AlertKind>().notNull(),
    /** what has the problem: id of a connection, list, segment or schedule */
    subject: text().notNull(),
    details: jsonb().$type<AlertDetails>().notNull().default({}),
    openedAt: createdAt(),
    /** when it came up again last */
    seenAt: createdAt(),
    /** when people and programs were told last: once a day while it lasts */
    toldAt: at(),
    /** `details` as they were told then */
    toldDetails: jsonb().$type<AlertDetails>(),
    resolvedAt: at(),
    /** when they were told that it is over */
    resolutionToldAt: at(),
  },
  (t) => [
    uniqueIndex('alerts_open')
      .on(t.accountId, t.kind, t.subject)
      .where(sql`resolved_at is null`),
    index('alerts_account').on(t.accountId, t.id),
    index('alerts_subject').on(t.accountId, t.subject),
  ],
)

/** Programs that are told of alerts. */
export const webhooks = pgTable(
  'webhooks',
  {
    id: id(),
    accountId: accountId(),
    url: text().notNull(),
    /** kinds of alerts; none: all */
    events: jsonb().$type<AlertKind[]>().notNull().default([]),
    /** encrypted */
    secret: text().notNull(),
    /** encrypted: the one before, which signs beside it until `previousUntil` */
    previousSecret: text(),
    previousUntil: at(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [index('webhooks_account').on(t.accountId, t.id)],
)

/** What is to be told, made with the alert, and what came of each attempt. The body never changes, so that a receiver can drop doubles. */
export const alertDeliveries = pgTable(
  'alert_deliveries',
  {
    id: id(),
    accountId: accountId(),
    channel: text().$type<DeliveryChannel>().notNull(),
    webhookId: uuid().references(() => webhooks.id, { onDelete: 'cascade' }),
    /** null: a test */
    alertId: uuid().references(() => alerts.id, { onDelete: 'cascade' }),
    event: text().$type<DeliveryEvent>().notNull(),
    body: text().notNull(),
    state: text().$type<AlertDeliveryState>().notNull().default('pending'),
    attempts: jsonb().$type<Attempt[]>().notNull().default([]),
    /** attempts since it was made, or since a person asked to try again */
    tries: integer().notNull().default(0),
    nextAt: at().default(sql`now()`),
    deliveredAt: at(),
    createdAt: createdAt(),
  },
  (t) => [
    index('alert_deliveries_webhook').on(t.webhookId, t.id),
    index('alert_deliveries_alert').on(t.alertId, t.id),
    index('alert_deliveries_pending')
      .on(t.nextAt)
      .where(sql`state = 'pending'`),
  ],
)

/** One key range of a run, read in order; cursor and counts are committed with the rows that they count. */
export const lanes = pgTable(
  'lanes',
  {
    runId: uuid()
      .notNull()
      .references(() => runs.id),
    phase: text().$type<LanePhase>().notNull(),
    lane: integer().notNull(),
    accountId: accountId(),
    /** what the range is one of */
    kind: text().$type<LaneKind>().notNull().default('people'),
    afterKey: text(),
    upToKey: text(),
    cursor: text(),
    done: boolean().notNull().default(false),
    /** fence: a timed-out attempt commits nothing beside its successor */
    attempt: integer().notNull().default(0),
    pages: integer().notNull().default(0),
    /** keys that a sweep saw */
    keys: integer().notNull().default(0),
    read: integer().notNull().default(0),
    created: integer().notNull().default(0),
    updated: integer().notNull().default(0),
    unchanged: integer().notNull().default(0),
    skipped: integer().notNull().default(0),
    rejected: integer().notNull().default(0),
    withoutEmail: integer().notNull().default(0),
    optedOut: integer().notNull().default(0),
    deleted: integer().notNull().default(0),
    relinked: integer().notNull().default(0),
    conflicts: integer().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.runId, t.phase, t.lane] })],
)

/** The keys that a sweep saw, a page in a row, one key a line. */
export const sweptKeys = pgTable(
  'swept_keys',
  {
    runId: uuid()
      .notNull()
      .references(() => runs.id),
    lane: integer().notNull(),
    page: integer().notNull(),
    accountId: accountId(),
    keys: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.lane, t.page] })],
)

export const entries = pgTable(
  'entries',
  {
    id: id(),
    accountId: accountId(),
    listId: uuid(),
    firstRunId: uuid()
      .notNull()
      .references(() => runs.id),
    /** an equal skip or rejection of the list's next run renews the entry */
    lastRunId: uuid()
      .notNull()
      .references(() => runs.id),
    times: integer().notNull().default(1),
    phase: text().notNull(),
    kind: text().$type<EntryKind>().notNull(),
    /** the reason: an error code or a code of the ledger */
    code: text(),
    recordId: uuid(),
    crmEntity: text().$type<CrmEntity>(),
    crmId: text(),
    emailKey: bytea(),
    changes: jsonb().$type<EntryChanges>(),
    /** what was done otherwise than asked: a value cut, other people with the same address */
    warnings: jsonb().$type<EntryWarning[]>(),
    /** what the CRM itself said (R25) */
    crm: jsonb().$type<Record<string, unknown>>(),
    /** the row of an uploaded file */
    row: jsonb().$type<EntryRow>(),
    at: createdAt(),
  },
  (t) => [
    index('entries_run').on(t.lastRunId, t.id),
    index('entries_list').on(t.listId, t.id),
    index('entries_record').on(t.recordId),
    index('entries_email').on(t.accountId, t.emailKey),
    index('entries_crm').on(t.accountId, t.crmId),
    index('entries_at').on(t.at),
  ],
)

/**
 * Records as a preview would leave them, while it works: its later steps go on from there, and nothing of it is ever stored on the records. People
 * whom it would add have an id here that no record has.
 */
export const previewedRecords = pgTable(
  'previewed_records',
  {
    runId: uuid()
      .notNull()
      .references(() => runs.id),
    recordId: uuid().notNull(),
    accountId: accountId(),
    /** column key → value that would be taken over */
    fields: jsonb().$type<Record<string, unknown>>().notNull(),
    /** the whole of `records.agreed` afterwards */
    agreed: jsonb().$type<Record<string, unknown>>().notNull(),
    /** grows with every change, as that of a record does */
    version: integer().notNull().default(1),
    /** who the record would be linked to; `new:` and its id for a lead that would be created */
    crmEntity: text().$type<CrmEntity>(),
    crmId: text(),
    state: text().$type<'deletedInCrm' | 'converted' | 'merged'>(),
    removed: boolean().notNull().default(false),
    /** field name → value that would be in the CRM */
    written: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [primaryKey({ columns: [t.runId, t.recordId] }), index().on(t.runId, t.crmId)],
)

/** R23: records that were rejected for one cause in three runs; a push leaves them alone as long as record and mapping are what they were then. */
export const parkedRecords = pgTable(
  'parked_records',
  {
    recordId: uuid().primaryKey(),
    accountId: accountId(),
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    code: text().notNull(),
    /** code and field of the CRM's own words, which tell causes of one code apart; '' for none */
    detail: text().notNull().default(''),
    entryId: uuid().notNull(),
    /** the record as it was rejected */
    version: integer().notNull(),
    /** fingerprint of settings, columns and the CRM's fields as they were */
    mapping: text().notNull(),
    parkedAt: createdAt(),
    /** the run that tries it for all that have its cause */
    probeRunId: uuid(),
  },
  (t) => [
    index('parked_records_account').on(t.accountId, t.recordId),
    index('parked_records_cause').on(t.listId, t.code, t.detail),
  ],
)

/** R4, R16: who a record is in the CRM, asked of a person. One open question for a record; answers stay. */
export const decisions = pgTable(
  'decisions',
  {
    id: id(),
    accountId: accountId(),
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    recordId: uuid().notNull(),
    /** who has the address, or who took over from somebody who is gone */
    kind: text().$type<DecisionKind>().notNull(),
    /** the person who is gone */
    crmEntity: text().$type<CrmEntity>(),
    crmId: text(),
    candidates: jsonb().$type<DecisionCandidate[]>().notNull(),
    runId: uuid().notNull(),
    createdAt: createdAt(),
    decidedAt: at(),
    decidedBy: uuid(),
    chosenEntity: text().$type<CrmEntity>(),
    chosenId: text(),
    /** the question answered itself, or came up anew with other candidates */
    closedAt: at(),
  },
  (t) => [
    uniqueIndex('decisions_open')
      .on(t.recordId)
      .where(sql`decided_at is null and closed_at is null`),
    index('decisions_account').on(t.accountId, t.id),
    index('decisions_record').on(t.recordId, t.id),
  ],
)

/** What was changed of a record here, by people and programs, and what runs did to records beside their entries (domain/edit.ts). */
export const edits = pgTable(
  'edits',
  {
    id: id(),
    accountId: accountId(),
    listId: uuid().notNull(),
    recordId: uuid().notNull(),
    kind: text().$type<EditKind>().notNull(),
    /** column key → before and after */
    changes: jsonb().$type<EditChanges>().notNull().default({}),
    /** the record that went into this one, or that this one went into */
    otherId: uuid(),
    apiKeyId: uuid(),
    runId: uuid(),
    /** what somebody filled in */
    submissionId: uuid(),
    at: createdAt(),
  },
  (t) => [index('edits_record').on(t.recordId, t.id), index('edits_at').on(t.at)],
)

/** A file that was uploaded, or is being: until its run has ended. */
export const uploads = pgTable(
  'uploads',
  {
    id: id(),
    accountId: accountId(),
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    /** null while it is received */
    runId: uuid().references(() => runs.id),
    /** when its last bytes came */
    touchedAt: createdAt(),
  },
  (t) => [index().on(t.runId)],
)

/** The bytes of a file in pieces that can each be decoded alone. */
export const uploadChunks = pgTable(
  'upload_chunks',
  {
    uploadId: uuid()
      .notNull()
      .references(() => uploads.id, { onDelete: 'cascade' }),
    /** from 0 */
    chunk: integer().notNull(),
    accountId: accountId(),
    bytes: bytea().notNull(),
  },
  (t) => [primaryKey({ columns: [t.uploadId, t.chunk] })],
)

/** R26: the leases of a connection's concurrent requests, and who waits for one. */
export const slots = pgTable(
  'slots',
  {
    connectionId: uuid()
      .notNull()
      .references(() => connections.id),
    slot: integer().notNull(),
    accountId: accountId(),
    holder: uuid(),
    fence: bigint({ mode: 'number' }).notNull().default(0),
    leaseUntil: at(),
  },
  (t) => [primaryKey({ columns: [t.connectionId, t.slot] })],
)

export const waiters = pgTable(
  'waiters',
  {
    ticket: bigserial({ mode: 'number' }).primaryKey(),
    connectionId: uuid().notNull(),
    accountId: accountId(),
    holder: uuid().notNull().unique(),
    interactive: boolean().notNull(),
    leaseUntil: at().notNull(),
  },
  (t) => [index('waiters_connection').on(t.connectionId, t.ticket)],
)

export const paces = pgTable('paces', {
  connectionId: uuid()
    .primaryKey()
    .references(() => connections.id),
  accountId: accountId(),
  /** how many of the connection's slots may be used now; halves on trouble, grows by one on success */
  allowed: real().notNull(),
  pauseUntil: at(),
  /** refusals of an accepted login that stopped with one request at a time: the mark of a server that allows one session at a time (R21) */
  refusals: integer().notNull().default(0),
  /** milliseconds, smoothed: the CRM's usual answer */
  usualMs: real(),
  /** when it was lowered last by trouble */
  changedAt: createdAt(),
})

/** What must reach the workflow engine after a commit; workflow ids make a second delivery harmless. */
export const outbox = pgTable(
  'outbox',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    accountId: accountId(),
    /** wake: start the workflow, or signal `wake` to the one that runs */
    kind: text().$type<'start' | 'wake' | 'signal' | 'cancel' | 'schedule'>().notNull(),
    /** workflow type, or name of the signal; of a schedule: apply */
    name: text().notNull(),
    workflowId: text().notNull(),
    input: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
    doneAt: at(),
    /** deliveries that failed, and when the next one is due */
    tries: integer().notNull().default(0),
    retryAt: at(),
  },
  (t) => [
    index('outbox_open')
      .on(t.id)
      .where(sql`done_at is null`),
  ],
)

export const idempotency = pgTable(
  'idempotency',
  {
    accountId: accountId(),
    key: text().notNull(),
    /** hash of method, path and body */
    request: bytea().notNull(),
    status: integer().notNull(),
    location: text().notNull(),
    body: jsonb().$type<Record<string, unknown>>().notNull(),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.key] })],
)

/** F1: a form fills one list. Its public address is /f/:key. */
export const forms = pgTable(
  'forms',
  {
    id: id(),
    accountId: accountId(),
    /** random, 128 bits or more, base64url */
    key: text().notNull().unique(),
    listId: uuid()
      .notNull()
      .references(() => lists.id),
    name: text().notNull(),
    /** closed: the page says so and takes nothing */
    state: text().$type<'open' | 'closed'>().notNull().default('open'),
    version: integer().notNull().default(1),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    removedAt: at(),
  },
  (t) => [
    index('forms_list').on(t.listId),
    uniqueIndex('forms_name')
      .on(t.accountId, sql`lower(${t.name})`)
      .where(sql`removed_at is null`),
  ],
)

/** Every state that a form was saved in: a submission is read and pushed by the version that it was made with. */
export const formVersions = pgTable(
  'form_versions',
  {
    formId: uuid()
      .notNull()
      .references(() => forms.id),
    version: integer().notNull(),
    accountId: accountId(),
    definition: jsonb().$type<FormDefinition>().notNull(),
    apiKeyId: uuid(),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.formId, t.version] })],
)

/** F3: stored before anything else. Ids are in the order of arrival. */
export const submissions = pgTable(
  'submissions',
  {
    id: id(),
    accountId: accountId(),
    formId: uuid()
      .notNull()
      .references(() => forms.id),
    version: integer().notNull(),
    state: text().$type<SubmissionState>().notNull().default('received'),
    /** why it waits, is held or was rejected */
    code: text(),
    detail: text(),
    /** what the CRM itself said (R25) */
    crm: jsonb().$type<Record<string, unknown>>(),
    warnings: jsonb().$type<EntryWarning[]>().notNull().default([]),
    answers: jsonb().$type<Answers>().notNull(),
    /** keyed hash of the normalised address: those of one address are applied in order (R30) */
    emailKey: bytea(),
    /** of the form's list */
    recordId: uuid(),
    results: jsonb().$type<SubmissionResult[]>().notNull().default([]),
    language: text(),
    /** by an API key instead of the public page */
    apiKeyId: uuid(),
    /** of the page that it was sent from, used once */
    token: text(),
    tries: integer().notNull().default(0),
    /** when it is tried next; of one under way, when it is taken up again if its worker is gone */
    dueAt: createdAt(),
    /** the attempt that works on it */
    claimId: uuid(),
    /** retried by hand: the version whose policy and defaults hold from then on */
    pushVersion: integer(),
    receivedAt: createdAt(),
    settledAt: at(),
  },
  (t) => [
    index('submissions_form').on(t.formId, t.id),
    index('submissions_state').on(t.formId, t.state, t.id),
    index('submissions_record').on(t.recordId),
    index('submissions_email').on(t.accountId, t.emailKey, t.id),
    uniqueIndex('submissions_token')
      .on(t.formId, t.token)
      .where(sql`token is not null`),
    /** what is still to be done: few among many */
    index('submissions_open')
      .on(t.accountId, t.id)
      .where(sql`state in ('received', 'pushing', 'waiting', 'held')`),
    /** the same of one address, which may have sent any number before */
    index('submissions_open_email')
      .on(t.accountId, t.emailKey, t.id)
      .where(sql`state in ('received', 'pushing', 'waiting', 'held')`),
  ],
)

/** Who drains the submissions of a connection, or of an account without one: until then it looks by itself, and need not be woken. */
export const drainers = pgTable('drainers', {
  id: uuid().primaryKey(),
  accountId: accountId(),
  awakeUntil: at(),
  /** the same for who writes the connection's opt-outs */
  optOutsAwakeUntil: at(),
})

/** G1. */
export const messages = pgTable(
  'messages',
  {
    id: id(),
    accountId: accountId(),
    /** for people here; the recipients never see it */
    name: text().notNull(),
    state: text().$type<MessageState>().notNull().default('draft'),
    /** grows with every save; a run sends the version that it began with */
    version: integer().notNull().default(1),
    /** when it is to be sent; null: at once, or not asked for yet */
    scheduledAt: at(),
    sentAt: at(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
    removedAt: at(),
  },
  (t) => [
    index('messages_account').on(t.accountId, t.id),
    uniqueIndex('messages_name')
      .on(t.accountId, sql`lower(${t.name})`)
      .where(sql`removed_at is null`),
  ],
)

/** Every state that a message was saved in. Its HTML is the preset dictionary of what was sent by it, so a version never changes and never goes. */
export const messageVersions = pgTable(
  'message_versions',
  {
    messageId: uuid()
      .notNull()
      .references(() => messages.id),
    version: integer().notNull(),
    accountId: accountId(),
    definition: jsonb().$type<MessageDefinition>().notNull(),
    apiKeyId: uuid(),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.messageId, t.version] })],
)

/** A test of a message, as it was saved then; addresses stand here until the mail server has answered, and no longer. */
export const messageTests = pgTable('message_tests', {
  id: id(),
  accountId: accountId(),
  messageId: uuid()
    .notNull()
    .references(() => messages.id),
  version: integer().notNull(),
  /** whose values it shows; null: nobody's */
  recordId: uuid(),
  /** still to be sent to */
  recipients: jsonb().$type<string[]>().notNull(),
  state: text().$type<'waiting' | 'sent' | 'failed'>().notNull().default('waiting'),
  /** why it failed */
  code: text(),
  accepted: integer().notNull().default(0),
  rejected: integer().notNull().default(0),
  createdAt: createdAt(),
})

/** The one e-mail of a message to one record. What was sent is in `delivery_contents`, the note about it in `notes`. */
export const deliveries = pgTable(
  'deliveries',
  {
    id: id(),
    accountId: accountId(),
    messageId: uuid()
      .notNull()
      .references(() => messages.id),
    /** of the message, whose HTML packs the content */
    version: integer().notNull(),
    runId: uuid().references(() => runs.id),
    /** where the record is from; both stay when list or record are removed */
    listId: uuid(),
    recordId: uuid(),
    crmEntity: text().$type<CrmEntity>(),
    crmId: text(),
    emailKey: bytea(),
    /** as it stands in the mail; null without one, and after an erasure */
    email: text(),
    state: text().$type<DeliveryState>().notNull().default('waiting'),
    /** why it was skipped or rejected, or what it waits for */
    code: text(),
    /** status of the mail server's answer, and its enhanced status code (RFC 3463) */
    smtpStatus: integer(),
    smtpCode: text(),
    bounce: jsonb().$type<Bounce>(),
    /** R33: of the preview's address, 192 random bits, base64url; null for those that were never sent */
    previewToken: text().unique(),
    previewRevokedAt: at(),
    previewExpiresAt: at(),
    /** R35: of the unsubscribe link; another one, since previews are shown to colleagues */
    unsubscribeToken: text().unique(),
    unsubscribedAt: at(),
    /** id of another sender's report, unique within the message */
    externalId: text(),
    /** it may have come twice, or not at all: nobody knew whether an earlier attempt had arrived */
    isUnsure: boolean().notNull().default(false),
    tries: integer().notNull().default(0),
    /** when it is tried next */
    dueAt: createdAt(),
    claimId: uuid(),
    /** who works on it is taken to be dead then */
    claimUntil: at(),
    sentAt: at(),
    acceptedAt: at(),
    erasedAt: at(),
    createdAt: createdAt(),
  },
  (t) => [
    index('deliveries_message').on(t.messageId, t.id),
    index('deliveries_state').on(t.messageId, t.state, t.id),
    index('deliveries_record').on(t.recordId),
    index('deliveries_email').on(t.accountId, t.emailKey, t.id),
    index('deliveries_crm').on(t.accountId, t.crmId),
    /** one mail for each address of a message (R31) */
    uniqueIndex('deliveries_address')
      .on(t.messageId, t.emailKey)
      .where(sql`state <> 'skipped' and external_id is null`),
    uniqueIndex('deliveries_external')
      .on(t.messageId, t.externalId)
      .where(sql`external_id is not null`),
    /** what is still to be sent: few among many */
    index('deliveries_open')
      .on(t.messageId, t.dueAt)
      .where(sql`state in ('waiting', 'sending')`),
    index('deliveries_expiring')
      .on(t.previewExpiresAt)
      .where(sql`preview_expires_at is not null`),
  ],
)

/** G4: what was sent (db/delivery/content.ts). Nothing is rendered again. */
export const deliveryContents = pgTable('delivery_contents', {
  deliveryId: uuid()
    .primaryKey()
    .references(() => deliveries.id),
  accountId: accountId(),
  subject: text().notNull(),
  html: bytea().notNull(),
  text: bytea().notNull(),
  sha256: bytea().notNull(),
  createdAt: createdAt(),
})

/** R33: who looked at a preview, without a person: shortened network and browser family. */
export const previewViews = pgTable(
  'preview_views',
  {
    id: id(),
    accountId: accountId(),
    deliveryId: uuid()
      .notNull()
      .references(() => deliveries.id),
    network: text(),
    browser: text(),
    at: createdAt(),
  },
  (t) => [index('preview_views_delivery').on(t.deliveryId, t.id), index('preview_views_at').on(t.at)],
)

/** G3: one note of each delivery that the mail server accepted (R31), made in two steps as a lead is (R7). */
export const notes = pgTable(
  'notes',
  {
    deliveryId: uuid()
      .primaryKey()
      .references(() => deliveries.id),
    accountId: accountId(),
    messageId: uuid()
      .notNull()
      .references(() => messages.id),
    connectionId: uuid()
      .notNull()
      .references(() => connections.id),
    state: text().$type<NoteState>().notNull().default('waiting'),
    /** why it waits, was skipped or rejected */
    code: text(),
    /** what the CRM itself said (R25) */
    crm: jsonb().$type<Record<string, unknown>>(),
    warnings: jsonb().$type<EntryWarning[]>().notNull().default([]),
    /** whose note it is, once that is known */
    crmEntity: text().$type<CrmEntity>(),
    crmId: text(),
    /** id of the note in the CRM */
    noteId: text(),
    /** the run that has settled it */
    runId: uuid(),
    tries: integer().notNull().default(0),
    dueAt: createdAt(),
    claimId: uuid(),
    claimUntil: at(),
    /** when the request went out; without an answer the CRM is searched before it is repeated */
    sentAt: at(),
    writtenAt: at(),
    createdAt: createdAt(),
  },
  (t) => [
    index('notes_message').on(t.messageId, t.state, t.deliveryId),
    index('notes_open')
      .on(t.messageId, t.dueAt)
      .where(sql`state in ('waiting', 'creating', 'held')`),
  ],
)

/** R34, differentiator 7: an opt-out, or a new consent, on its way to all leads and contacts with the address, and the CRM's answers as proof. */
export const optOuts = pgTable(
  'opt_outs',
  {
    id: id(),
    accountId: accountId(),
    connectionId: uuid()
      .notNull()
      .references(() => connections.id),
    /** the reason; null: written by hand */
    suppressionId: uuid().references(() => suppressions.id),
    emailKey: bytea().notNull(),
    /** to find them by; null after an erasure */
    email: text(),
    /** DoNotEmail as it is to be */
    doNotEmail: boolean().notNull(),
    state: text().$type<OptOutState>().notNull().default('waiting'),
    code: text(),
    crm: jsonb().$type<Record<string, unknown>>(),
    /** each person that has it now, and when the CRM said so */
    results: jsonb().$type<OptOutResult[]>().notNull().default([]),
    tries: integer().notNull().default(0),
    dueAt: createdAt(),
    createdAt: createdAt(),
    settledAt: at(),
  },
  (t) => [
    index('opt_outs_email').on(t.accountId, t.emailKey, t.id),
    index('opt_outs_suppression').on(t.suppressionId),
    index('opt_outs_open')
      .on(t.connectionId, t.id)
      .where(sql`state in ('waiting', 'held')`),
  ],
)

/** R40: what was asked and what was done; the proof names no person. */
export const erasures = pgTable(
  'erasures',
  {
    id: id(),
    accountId: accountId(),
    apiKeyId: uuid(),
    proof: jsonb().$type<ErasureProof>().notNull(),
    /** as it was given; it should name nobody */
    reason: text(),
    createdAt: createdAt(),
    /** when the person came back by a submission of their own */
    liftedAt: at(),
  },
  (t) => [index('erasures_account').on(t.accountId, t.id)],
)

/** R40: keyed hashes of people who must not return: of an address, or of a CRM person's entity and id. */
export const erasedPeople = pgTable(
  'erased_people',
  {
    accountId: accountId(),
    hash: bytea().notNull(),
    kind: text().$type<'email' | 'crm'>().notNull(),
    erasureId: uuid()
      .notNull()
      .references(() => erasures.id),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.hash] }), index('erased_people_erasure').on(t.erasureId)],
)

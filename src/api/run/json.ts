import { z } from 'zod'
import { countsOf, progressOf, type RunRow } from '../../db/run/read.ts'
import { comparesKeys, type RunSource } from '../../domain/run.ts'
import { CrmSaid, Id, Instant, instant, instantOrNull } from '../schemas.ts'
import type { Services } from '../services.ts'

export const RunKind = z.enum(['import', 'sync', 'sweep', 'verify', 'upload', 'preview', 'undo', 'send', 'notes'])
export const RunState = z.enum(['queued', 'running', 'held', 'succeeded', 'incomplete', 'failed', 'cancelled'])

const count = z.number().int()

const PhaseCounts = z
  .object({
    read: count,
    created: count,
    updated: count,
    unchanged: count,
    skipped: count,
    rejected: count,
    deleted: count.optional(),
    relinked: count.optional(),
    conflicts: count.optional(),
    withoutEmail: count.optional(),
    duplicateEmail: count.optional(),
    optedOut: count.optional(),
  })
  .meta({
    id: 'PhaseCounts',
    description: 'read = created + updated + unchanged + skipped + rejected; the others stand beside the sum',
  })

const Balance = z
  .object({
    balanced: z.boolean().nullable().meta({ description: 'null until the proof is drawn up' }),
    crmTotal: count.nullable(),
    listTotal: count.nullable(),
    explained: z.record(z.string(), count),
    difference: count.nullable(),
    missing: count.optional().meta({ description: 'ids that only the CRM has' }),
    extra: count.optional().meta({ description: 'ids that only the list has' }),
    checks: z.array(z.object({ name: z.string(), left: count, right: count })).optional(),
  })
  .meta({ id: 'Balance' })

const Upload = z
  .object({
    id: Id.meta({ description: 'for GET /v1/uploads/{uploadId}/errors' }),
    encoding: z.string(),
    delimiter: z.string(),
    fileBytes: count,
    match: z.enum(['none', 'email', 'externalId', 'id']),
    onMatch: z.enum(['update', 'skip']),
    blanks: z.enum(['keep', 'clear']),
    columns: z.array(
      z.object({
        header: z.string(),
        column: z.string().nullable().meta({ description: 'key of the column, `externalId`, or null for nowhere' }),
      }),
    ),
  })
  .meta({ id: 'Upload', description: 'How the file of an upload was read' })

const uploadJson = ({ id, settings: { upload } }: RunRow): z.infer<typeof Upload> | undefined => {
  if (upload === undefined) return undefined
  const { encoding, delimiter, fileBytes, columns, options } = upload
  const { match, onMatch, blanks } = options
  const mapped = columns.map(({ header, to }) => ({ header, column: to }))
  return { id, encoding, delimiter, fileBytes, match, onMatch, blanks, columns: mapped }
}

const Segment = z
  .object({
    id: Id,
    name: z.string().meta({ description: 'as the segment was called when the run began' }),
    version: count.nullable().meta({ description: 'of its filter when the run began; null before' }),
    members: count.nullable().meta({
      description:
        'its records that a push could look at when the run began, those not linked or edited here; null before',
    }),
  })
  .meta({ id: 'RunSegment', description: 'The segment that is pushed' })

const segmentJson = ({ segment, settings }: RunRow): z.infer<typeof Segment> | null =>
  settings.segment ?? (segment === null ? null : { ...segment, version: null, members: null })

const Source = z.object({ runId: Id, as: z.enum(['preview', 'retry', 'undo']) }).meta({
  id: 'RunSource',
  description:
    'The run whose entries this one goes by: it does what a preview has shown, tries again what was rejected, or takes back what was written',
})

const sourceJson = ({ runId: id, as }: RunSource): z.infer<typeof Source> => ({ runId: id, as })

const zero = { created: 0, updated: 0, unchanged: 0, skipped: 0, rejected: 0 }
const listId = '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071'
const runId = '019ab3c4-61f2-7a35-8d40-0b5a7c9e1f23'

const example = {
  id: runId,
  kind: 'import',
  state: 'running',
  trigger: 'api',
  list: { id: listId, name: 'All Infor CRM Leads' },
  message: null,
  segment: null,
  progress: { done: 41000, total: 120000, perSecond: 8200, secondsLeft: 10 },
  counts: { pull: { ...zero, read: 41000, created: 41000, withoutEmail: 12, optedOut: 640, deleted: 0 } },
  balance: { balanced: null, crmTotal: 120000, listTotal: null, explained: {}, difference: null },
  warnings: [{ code: 'fieldReadOnly', message: 'CreateUser can never be pushed.', count: 1, field: 'CreateUser' }],
  error: null,
  queuedAt: '2026-11-23T10:00:00.000Z',
  startedAt: '2026-11-23T10:00:00.412Z',
  finishedAt: null,
  workflowId: `import:${runId}`,
  temporalUrl: `http://127.0.0.1:8233/namespaces/default/workflows/import%3A${runId}`,
}

export const Run = z
  .object({
    id: Id,
    kind: RunKind,
    state: RunState,
    trigger: z.enum(['api', 'schedule', 'system']),
    list: z.object({ id: Id, name: z.string() }).nullable(),
    message: z
      .object({ id: Id, name: z.string() })
      .nullable()
      .meta({ description: 'what is sent, or noted in the CRM' }),
    segment: Segment.nullable().meta({ description: 'null for a run of a whole list' }),
    progress: z.object({
      done: count,
      total: count.meta({ description: 'what the CRM says it has: a hint; of an upload the lines of its file' }),
      perSecond: z.number(),
      secondsLeft: count.nullable(),
    }),
    counts: z
      .record(z.string(), PhaseCounts)
      .meta({ description: 'by phase: `pull`, `sweep`, `push`, `verify`, `upload`, `send`, `notes`' }),
    balance: Balance,
    warnings: z.array(z.object({ code: z.string(), message: z.string(), count, field: z.string().optional() })),
    error: z
      .object({
        code: z.string(),
        detail: z.string(),
        remedy: z.string(),
        crm: CrmSaid.optional(),
        since: z.string().optional(),
      })
      .nullable()
      .meta({ description: 'why it ended short or, while it works, what it waits for' }),
    source: Source.optional(),
    upload: Upload.optional(),
    queuedAt: Instant,
    startedAt: Instant.nullable(),
    finishedAt: Instant.nullable(),
    workflowId: z.string(),
    temporalUrl: z.url(),
  })
  .meta({
    id: 'Run',
    description: 'One execution of an import, sync, sweep or upload, with its ledger',
    examples: [example],
  })
export type Run = z.infer<typeof Run>

/** Shown until the ledger is drawn up. */
const openBalance = (crmTotal: number | null) => ({
  balanced: null,
  crmTotal,
  listTotal: null,
  explained: {},
  difference: null,
})

export const runJson = (services: Pick<Services, 'temporalUiUrl' | 'temporalNamespace'>, run: RunRow): Run => ({
  id: run.id,
  kind: run.kind,
  state: run.state,
  trigger: run.trigger,
  list: run.list,
  message: run.message,
  segment: segmentJson(run),
  progress: progressOf(run),
  counts: countsOf(run),
  balance: run.balance ?? openBalance(comparesKeys(run.kind) ? run.total : null),
  warnings: run.warnings,
  error: run.error,
  ...(run.settings.upload && { upload: uploadJson(run) }),
  ...(run.settings.source && { source: sourceJson(run.settings.source) }),
  queuedAt: instant(run.queuedAt),
  startedAt: instantOrNull(run.startedAt),
  finishedAt: instantOrNull(run.finishedAt),
  workflowId: run.workflowId,
  temporalUrl: `${services.temporalUiUrl.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(services.temporalNamespace)}/workflows/${encodeURIComponent(run.workflowId)}`,
})

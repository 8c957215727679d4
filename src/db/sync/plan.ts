import type { CrmEntity, CrmField } from '../../domain/crm.ts'
import { counterpartsOf, crmNameOf, isAlwaysRead, isPushable } from '../../domain/counterpart.ts'
import { systemFields } from '../../domain/list.ts'
import type { SyncColumn } from '../../domain/decide.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { ColumnPlan } from '../../domain/values.ts'
import type { RunSource } from '../../domain/run.ts'
import { isMapped, leftOut, type LeftOut } from '../../domain/standardField.ts'
import type { RunSync } from '../../domain/sync.ts'
import * as columnRows from '../column.ts'
import { findFields } from '../connection.ts'
import type { Database } from '../database.ts'
import { hashKeyOf } from '../emailKey.ts'
import type { PageTarget } from '../import/page.ts'
import type * as runs from '../run/state.ts'
import type { SecretBox } from '../secret.ts'

/** How people of one entity are read and written for a list. */
export type EntityPlan = {
  columns: SyncColumn[]
  /** to be read: those of the columns, and the dates by which people are told apart */
  fields: CrmField[]
  /** field → column key, for records that are made of a person */
  plan: ColumnPlan
  /** everything that the CRM has, for what a new lead must have */
  live: CrmField[]
}

export type SyncPlan = Omit<PageTarget, 'plan'> & {
  connectionId: string
  /** the run itself, if it only records what it would do (S8) */
  previewId: string | null
  /** the run whose entries this one goes by */
  source?: RunSource
  sync: RunSync
  /** null for a plain list, which pulls nobody */
  own: CrmEntity | null
  /** whose settings it goes by: the segment, else the list */
  holderId: string
  /** P2: only the members of the run are pushed */
  ofSegment: boolean
  /** keys of all columns that are something in the CRM and not kept by it, whether their field is there at the moment or not */
  bound: string[]
  /** columns of the list that do not go out, and are spoken of (R28) */
  leftOut: LeftOut[]
  /** the columns with a field, each once: that of the list's own entity, else the one that there is */
  columns: SyncColumn[]
  of: Record<CrmEntity, EntityPlan>
}

export const otherThan: Record<CrmEntity, CrmEntity> = { lead: 'contact', contact: 'lead' }

const isKept = new Set<string>(systemFields)
const alsoRead = (columns: readonly SyncColumn[], live: readonly CrmField[]): CrmField[] =>
  live.filter(({ name }) => isKept.has(name) && !columns.some(({ field }) => field.name === name))

/** When a version 7 id was made, in milliseconds. */
const madeAt = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

/** What a run wrote to one field of the CRM is never set back in another one that the column has come to mean since. */
const isAsThen = ({ standardSince }: columnRows.Column, source: RunSource | undefined): boolean =>
  source?.as !== 'undo' || standardSince === null || standardSince.getTime() < madeAt(source.runId)

export type Planned = Pick<
  runs.Run,
  'id' | 'accountId' | 'listId' | 'connectionId' | 'segmentId' | 'entity' | 'kind' | 'settings'
>

/** What a run of a list goes by, as its settings were when it began. Stale columns are neither read nor written. */
export const planOf = async (db: Database, secrets: SecretBox, run: Planned): Promise<SyncPlan> => {
  const own = run.entity
  const sync = run.settings.sync
  if (sync === undefined) throw new Error('the run has not begun')
  const columns = await columnRows.all(db, run.accountId, run.listId!)
  const all = columns.filter((column) => isMapped(column) && isAsThen(column, run.settings.source))
  const bound = all.filter(({ staleAt }) => staleAt === null)
  const ofSegment = run.settings.segment !== undefined
  const entityPlan = async (entity: CrmEntity): Promise<EntityPlan> => {
    const live = (await findFields(db, run.accountId, entity))?.fields
    if (live === undefined && entity === own) throw new FairleadError('entityDisabled')
    const named = counterpartsOf(bound, live ?? [], own, entity)
    const columns = named.flatMap(({ key, field }): SyncColumn[] => {
      if (field === null) return []
      const column = bound.find((each) => each.key === key)!
      const always = isAlwaysRead(column)
      // a column of our own that means a field of the CRM only goes out
      const isOurs = crmNameOf(column) === null
      const pulls = sync.pull.enabled && !isOurs
      return [
        {
          key,
          field,
          isOurs,
          // dates follow our own writes also where a segment of the list is pushed, which pulls nothing
          pulled:
            (always && run.segmentId !== null && own !== null) ||
            (pulls && (always || (sync.pull.updateExisting && !sync.pull.excludedFields.includes(key)))),
          fills: pulls && !sync.pull.excludedFields.includes(key),
          pushed: sync.push.enabled && sync.push.updateExisting && sync.push.fields.includes(key) && isPushable(field),
          clears: sync.push.clearFields.includes(key),
        },
      ]
    })
    return {
      columns,
      // a plain list has no columns for the dates by which people are chosen (R4) and followed (R16)
      fields: [...columns.map(({ field }) => field), ...(own === null ? alsoRead(columns, live ?? []) : [])],
      plan: columns.flatMap(({ field, key, isOurs }) => (isOurs ? [] : [[field.name, key] as const])),
      live: live ?? [],
    }
  }
  const of = { lead: await entityPlan('lead'), contact: await entityPlan('contact') }
  const first = own ?? 'lead'
  const firstKeys = new Set(of[first].columns.map(({ key }) => key))
  const further = of[otherThan[first]].columns.filter(({ key }) => !firstKeys.has(key))
  return {
    accountId: run.accountId,
    listId: run.listId!,
    connectionId: run.connectionId!,
    previewId: run.kind === 'preview' ? run.id : null,
    ...(run.settings.source === undefined ? {} : { source: run.settings.source }),
    // of entries that name nobody: those of a plain list's push always say whom they are about
    entity: first,
    own,
    holderId: run.segmentId ?? run.listId!,
    ofSegment,
    bound: all.filter((column) => !isAlwaysRead(column)).map(({ key }) => key),
    columns: [...of[first].columns, ...further],
    hashKey: await hashKeyOf(db, secrets, run.accountId),
    sync,
    leftOut: leftOut(columns, { lead: of.lead.live, contact: of.contact.live }, own),
    of,
  }
}

/** The target of rows that are inserted for people of an entity. */
export const targetFor = (
  plan: SyncPlan,
  entity: CrmEntity,
): PageTarget & { connectionId: string; previewId: string | null } => ({
  accountId: plan.accountId,
  listId: plan.listId,
  connectionId: plan.connectionId,
  previewId: plan.previewId,
  entity,
  hashKey: plan.hashKey,
  ...(plan.erased && { erased: plan.erased }),
  plan: plan.of[entity].plan,
})

import { expect } from 'vitest'
import * as columnRows from '../../src/db/column.ts'
import * as previews from '../../src/db/preview.ts'
import { scopeOf } from '../../src/db/record/edit.ts'
import * as recordRows from '../../src/db/record/write.ts'
import { request } from '../../src/db/sync/request.ts'
import type { Run } from '../../src/db/run/state.ts'
import type { CrmValue } from '../../src/domain/crm.ts'
import { defaultSync, type AgreedValues, type PullSettings, type PushSettings } from '../../src/domain/sync.ts'
import { readValues } from '../../src/domain/values.ts'
import type { Fairlead } from './fairlead.ts'

export type Held = {
  id: string
  crmEntity: 'lead' | 'contact' | null
  crmId: string | null
  removed: boolean
  mergedInto: string | null
  state: string | null
  /** by CRM field, else by the column's name */
  values: Record<string, CrmValue>
  agreed: AgreedValues
}

export type EntryRow = {
  phase: string
  kind: string
  code: string | null
  recordId: string | null
  crmId: string | null
  changes: Record<string, { before?: unknown; after?: unknown; conflict?: string }> | null
  warnings: { code: string; field?: string; ids?: string[] }[] | null
  times: number
}

/** What tests do with one list: settings, edits here, runs, and a look at what came of them. */
export const openList = async (fairlead: Fairlead, listId: string) => {
  const sql = fairlead.db.$client
  const { accountId } = fairlead
  const columns = await sql<{ key: string; name: string }[]>`
    select key, coalesce(crm_field, name) as name from columns where list_id = ${listId}`
  const keyOf = (name: string): string => {
    const found = columns.find((column) => column.name === name)
    if (found === undefined) throw new Error(`the list has no column ${name}`)
    return found.key
  }
  const nameOf = (key: string): string => columns.find((column) => column.key === key)?.name ?? key

  const scope = async () =>
    scopeOf(
      fairlead.db,
      fairlead.wiring.secrets,
      { accountId, listId },
      await columnRows.all(fairlead.db, accountId, listId),
    )
  const byKey = (values: Record<string, CrmValue>): Record<string, CrmValue> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [keyOf(name), value]))

  return {
    listId,
    keyOf,
    create: async (values: Record<string, CrmValue>): Promise<string> =>
      recordRows.insert(fairlead.db, await scope(), { values: byKey(values), externalId: null }),
    edit: async (recordId: string, values: Record<string, CrmValue>): Promise<void> =>
      recordRows.update(fairlead.db, await scope(), recordId, { values: byKey(values) }),
    remove: async (recordId: string): Promise<void> => recordRows.remove(fairlead.db, await scope(), recordId),
    restore: async (recordId: string): Promise<void> => recordRows.restore(fairlead.db, await scope(), recordId),
    async settings(
      push: Partial<PushSettings> = {},
      pull: Partial<PullSettings> = {},
      { widened = false }: { widened?: boolean } = {},
    ): Promise<void> {
      const defaults = defaultSync()
      const given = {
        push: {
          ...defaults.push,
          ...push,
          fields: (push.fields ?? []).map(keyOf),
          clearFields: (push.clearFields ?? []).map(keyOf),
        },
        pull: { ...defaults.pull, ...pull, excludedFields: (pull.excludedFields ?? []).map(keyOf) },
      }
      await sql`
        insert into sync_settings (holder_id, list_id, account_id, version, push, pull)
        values (${listId}, ${listId}, ${accountId}, 1, ${JSON.stringify(given.push)}::text::jsonb, ${JSON.stringify(given.pull)}::text::jsonb)
        on conflict (holder_id) do update set version = sync_settings.version + 1, push = excluded.push, pull = excluded.pull`
      if (widened) await sql`update lists set widened_at = now() where id = ${listId}`
    },
    async run(kind: 'sync' | 'sweep' | 'verify' | 'preview' = 'sync', timeoutMs?: number): Promise<Run> {
      const { runId } = await request(fairlead.db, accountId, listId, { kind, trigger: 'api' })
      await fairlead.wiring.relay()
      return fairlead.finished(runId, timeoutMs)
    },
    /** S8: the sync that does what a preview has shown. */
    async apply(previewId: string): Promise<Run> {
      const { runId } = await fairlead.db.transaction((tx) => previews.apply(tx, accountId, listId, previewId, false))
      await fairlead.wiring.relay()
      return fairlead.finished(runId)
    },
    async records(): Promise<Held[]> {
      const rows = await sql<(Omit<Held, 'values' | 'agreed'> & { fields: string; agreed: string })[]>`
        select r.id::text, r.crm_entity as "crmEntity", r.crm_id as "crmId", r.removed_at is not null as removed, r.merged_into::text as "mergedInto",
          p.state, r.fields::text as fields, r.agreed::text as agreed
        from records r left join lists l on l.id = r.list_id
        left join crm_people p on p.connection_id = l.connection_id and p.entity = r.crm_entity and p.crm_id = r.crm_id
        where r.list_id = ${listId} order by r.id`
      return rows.map(({ fields, agreed, ...row }) => ({
        ...row,
        values: Object.fromEntries(Object.entries(readValues(fields)).map(([key, value]) => [nameOf(key), value])),
        agreed: Object.fromEntries(
          Object.entries(readValues(agreed) as unknown as AgreedValues).map(([key, value]) => [nameOf(key), value]),
        ),
      }))
    },
    async entries(runId: string): Promise<EntryRow[]> {
      const rows = await sql<EntryRow[]>`
        select phase, kind, code, record_id::text as "recordId", crm_id as "crmId", changes, warnings, times from entries
        where last_run_id = ${runId} order by id`
      return rows.map((row) => ({
        ...row,
        changes:
          row.changes && Object.fromEntries(Object.entries(row.changes).map(([key, change]) => [nameOf(key), change])),
      }))
    },
  }
}

export type TestList = Awaited<ReturnType<typeof openList>>

/** Every sum of the ledger, whatever the run came to. */
export const sumsAgree = (run: Run): boolean =>
  run.balance?.balanced === true &&
  Object.values(run.counts ?? {}).every(
    (phase) => phase.read === phase.created + phase.updated + phase.unchanged + phase.skipped + phase.rejected,
  )

/** A run that came to its end, with sums that agree. */
export const expectGood = (run: Run): void => {
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(sumsAgree(run)).toBe(true)
}

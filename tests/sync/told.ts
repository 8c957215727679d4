import type { Run } from '../../src/db/run/state.ts'
import type { Fairlead } from '../support/fairlead.ts'
import type { EntryRow, TestList } from '../support/sync.ts'

export type Told = { phase: string; kind: string; code: string | null; of: string; changes: unknown; warnings: unknown }

/** Entries as they must be alike: a new lead has no id before it is there, nor what the CRM fills in by itself. */
export const told = (entries: EntryRow[], people: Map<string | null, string>): Told[] =>
  entries
    .map(({ phase, kind, code, recordId, crmId, changes, warnings }) => {
      const isNew = kind === 'created'
      const isForeseen = ([name, change]: [string, { before?: unknown; after?: unknown; side?: string }]): boolean =>
        change.side === undefined ||
        (!isNew && name !== 'ModifyDate' && (change.before ?? null) !== (change.after ?? null))
      const kept = Object.entries(changes ?? {}).filter(isForeseen)
      return {
        phase,
        kind,
        code,
        of: people.get(recordId) ?? recordId ?? `${crmId}`,
        changes: Object.fromEntries(kept),
        warnings: (warnings ?? []).map(({ code: said, ids = [] }) =>
          said === 'mergedIntoRecord' ? said : [said, ...ids],
        ),
      }
    })
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

/** Of a run that did it: people who came onto the list are told by their id, as in the preview, and listed. */
export const toldBy = async (fairlead: Fairlead, list: TestList, run: Run): Promise<Told[]> => {
  const sql = fairlead.db.$client
  const made = await sql<{ id: string; crmId: string }[]>`
    select id::text, crm_id as "crmId" from records where created_run_id = ${run.id} order by id`
  return told(await list.entries(run.id), new Map(made.map(({ id, crmId }) => [id, crmId])))
}

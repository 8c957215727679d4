import type { CrmWarning } from '../../domain/crm.ts'
import type { RunWarning } from '../../domain/run.ts'
import { toRunWarning } from '../../domain/warning.ts'
import type { Database, Sql } from '../database.ts'

type Of = { runId: string; listId: string }

/**
 * Adds to a run's warnings, one of each code and field with its count, in the transaction of what it is about; call it late, since it locks the
 * run. A count below zero takes back what was said. A field that the CRM no longer knows makes its column stale (R24).
 */
export const addWarnings = async (sql: Sql, { runId, listId }: Of, found: CrmWarning[]): Promise<void> => {
  if (found.length === 0) return
  const [row] = await sql<{ warnings: RunWarning[] }[]>`select warnings from runs where id = ${runId} for no key update`
  const merged = [...(row?.warnings ?? [])]
  for (const warning of found.map(toRunWarning)) {
    const index = merged.findIndex((each) => each.code === warning.code && each.field === warning.field)
    const known = merged[index]
    if (known === undefined) merged.push(warning)
    else merged[index] = { ...known, count: known.count + warning.count }
  }
  const left = merged.filter(({ count }) => count > 0)
  await sql`update runs set warnings = ${JSON.stringify(left)}::text::jsonb where id = ${runId}`
  const missing = found
    .filter(({ code, field }) => code === 'fieldMissing' && field !== undefined)
    .map(({ field }) => field)
  await sql`
    update columns set stale_at = now()
    where list_id = ${listId} and stale_at is null and crm_field in (select jsonb_array_elements_text(${JSON.stringify(missing)}::text::jsonb))`
}

/** Warnings that belong to no page. */
export const warn = async (db: Database, of: Of, found: CrmWarning[]): Promise<void> => {
  if (found.length > 0) await db.$client.begin((tx) => addWarnings(tx as unknown as Sql, of, found))
}

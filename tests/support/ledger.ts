import { expect } from 'vitest'
import type { Run } from '../../src/db/run/state.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'
import { differences } from './compare.ts'
import type { Fairlead } from './fairlead.ts'

/** The ledger is green, and true: no id twice, counts exact, the list equal to the CRM record by record. */
export const expectProven = async (
  fairlead: Pick<Fairlead, 'db' | 'simulator'>,
  run: Run,
  entity: CrmEntity,
  total: number,
): Promise<void> => {
  expect(run).toMatchObject({
    state: 'succeeded',
    error: null,
    balance: { balanced: true, difference: 0, crmTotal: total, listTotal: total },
  })
  const { pull, sweep } = run.counts!
  expect(pull!.created + (sweep?.created ?? 0)).toBe(total)
  expect(pull!.read).toBe(pull!.created + pull!.updated + pull!.unchanged + pull!.skipped + pull!.rejected)
  const [held] = await fairlead.db.$client<[{ rows: number; ids: number }]>`
    select count(*)::int as rows, count(distinct crm_id)::int as ids from records where list_id = ${run.listId}`
  expect(held).toEqual({ rows: total, ids: total })
  expect(await differences(fairlead, run.listId!, entity)).toEqual([])
}

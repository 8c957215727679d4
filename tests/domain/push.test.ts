import { expect, test } from 'vitest'
import type { CrmField } from '../../src/domain/crm.ts'
import { rebase, type Outcome } from '../../src/domain/push.ts'

test('R13: a value that was marked to be compared while its record was pushed stays so', () => {
  const at = '2027-01-01T00:00:00.000Z'
  const field = (name: string) => ({ name, readOnly: false, maxLength: null }) as unknown as CrmField
  const column = (key: string, name: string) => ({
    key,
    field: field(name),
    pulled: false,
    pushed: true,
    clears: false,
  })
  const fields = { c8: 'Boss', c9: 'Bonn' }
  const record = {
    id: 'r',
    version: 1,
    entity: 'lead' as const,
    crmId: 'L1',
    fields,
    agreed: { c8: { v: 'CEO', at } },
  }
  const outcome: Outcome = {
    record,
    kind: 'updated',
    code: null,
    warnings: [],
    columns: [column('c8', 'Title'), column('c9', 'Address/City')],
    decision: { patch: {}, agreed: {}, send: {}, changes: {}, warnings: [], conflicts: 0 },
  }
  const marked = { c9: { n: true as const, at } }
  expect(rebase({ version: 2, fields, agreed: { ...record.agreed, ...marked } }, outcome, at)).toEqual({
    fields: {},
    agreed: marked,
  })
})

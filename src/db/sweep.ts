import type { Database } from './database.ts'
import type { Transaction } from './outbox.ts'
import { request as requestRun, type Asked } from './sync/request.ts'

export { confirm, pageDue } from './sweep/list.ts'

/** A key sweep of an imported list (R15): finds what was deleted in the CRM and what is missing here. Errors as those of sync/request.ts. */
export const request = (
  db: Database | Transaction,
  accountId: string,
  listId: string,
  options: Omit<Asked, 'kind'> = { trigger: 'api' },
): Promise<{ runId: string; created: boolean }> => requestRun(db, accountId, listId, { kind: 'sweep', ...options })

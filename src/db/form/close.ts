import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Transaction } from '../outbox.ts'
import { forms } from '../schema.ts'

/** Closes the forms of a list that is removed. */
export const closeOf = async (tx: Transaction, accountId: string, listId: string): Promise<void> => {
  await tx
    .update(forms)
    .set({ state: 'closed', updatedAt: sql`now()` })
    .where(and(eq(forms.accountId, accountId), eq(forms.listId, listId), isNull(forms.removedAt)))
}

import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import type { Transaction } from '../outbox.ts'
import { forms, formVersions } from '../schema.ts'

type Named = { id: string; name: string }

const present = and(eq(formVersions.formId, forms.id), eq(formVersions.version, forms.version))

/** Forms that fill a column; without it they keep the answer with the submission only. */
export const usingColumn = (
  tx: Transaction,
  { accountId, listId, key }: { accountId: string; listId: string; key: string },
): Promise<Named[]> =>
  tx
    .select({ id: forms.id, name: forms.name })
    .from(forms)
    .innerJoin(formVersions, present)
    .where(
      and(
        eq(forms.accountId, accountId),
        eq(forms.listId, listId),
        isNull(forms.removedAt),
        sql`${formVersions.definition} @> ${JSON.stringify({ fields: [{ column: key }] })}::text::jsonb`,
      ),
    )
    .orderBy(asc(forms.id))

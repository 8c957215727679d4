import { and, asc, eq, getTableColumns, gt, isNull, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { FormDefinition } from '../../domain/form.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { forms, formVersions, lists } from '../schema.ts'

/** A form with its newest version. */
export type Form = typeof forms.$inferSelect & { definition: FormDefinition }

const present = and(eq(formVersions.formId, forms.id), eq(formVersions.version, forms.version))

const select = (db: Database | Transaction) =>
  db
    .select({ ...getTableColumns(forms), definition: formVersions.definition })
    .from(forms)
    .innerJoin(formVersions, present)
    .$dynamic()

const owned = (accountId: string, formId: string) => and(eq(forms.accountId, accountId), eq(forms.id, formId))

/** Also a removed one: its submissions stay. Errors: notFound. */
export const getEver = async (db: Database | Transaction, accountId: string, formId: string): Promise<Form> => {
  const [found] = await select(db).where(owned(accountId, formId))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

export const find = async (
  db: Database | Transaction,
  accountId: string,
  formId: string,
): Promise<Form | undefined> => {
  const [found] = await select(db).where(and(owned(accountId, formId), isNull(forms.removedAt)))
  return found
}

/** A form that was not removed. Errors: notFound. */
export const get = async (db: Database | Transaction, accountId: string, formId: string): Promise<Form> => {
  const found = await find(db, accountId, formId)
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** By the key of its public address, whoever has it; also a removed or closed one, which says so. */
export const findByKey = async (db: Database, key: string): Promise<Form | undefined> => {
  const [found] = await select(db).where(eq(forms.key, key))
  return found
}

/** In the order in which they were made, each with its list, and of its definition only whether it pushes: that may be large. */
export const page = (
  db: Database,
  accountId: string,
  { limit, after }: { limit: number; after?: string | undefined },
) =>
  db
    .select({
      ...getTableColumns(forms),
      push: sql<boolean>`(${formVersions.definition} ->> 'push')::boolean`,
      list: { id: lists.id, name: lists.name, removedAt: lists.removedAt },
    })
    .from(forms)
    .innerJoin(formVersions, present)
    .innerJoin(lists, eq(lists.id, forms.listId))
    .where(
      and(
        eq(forms.accountId, accountId),
        isNull(forms.removedAt),
        after === undefined ? undefined : gt(forms.id, after),
      ),
    )
    .orderBy(asc(forms.id))
    .limit(limit)

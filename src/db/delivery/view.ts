import { and, desc, eq, lt } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import { deliveries, previewViews } from '../schema.ts'

export type View = typeof previewViews.$inferSelect

/** R33: somebody has looked at the preview; who that was is not kept. */
export const insert = async (
  db: Database,
  view: Pick<View, 'accountId' | 'deliveryId' | 'network' | 'browser'>,
): Promise<void> => {
  await db.insert(previewViews).values(view)
}

/** Newest first; `before` is the id of the last one seen. Errors: notFound. */
export const page = async (
  db: Database,
  accountId: string,
  deliveryId: string,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<View[]> => {
  const [delivery] = await db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(eq(deliveries.accountId, accountId), eq(deliveries.id, deliveryId)))
  if (delivery === undefined) throw new FairleadError('notFound')
  return db
    .select()
    .from(previewViews)
    .where(and(eq(previewViews.deliveryId, deliveryId), before === undefined ? undefined : lt(previewViews.id, before)))
    .orderBy(desc(previewViews.id))
    .limit(limit)
}

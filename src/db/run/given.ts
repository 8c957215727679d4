import { and, asc, eq, gt, inArray, ne, type SQL } from 'drizzle-orm'
import type { RunSource } from '../../domain/run.ts'
import type { Database } from '../database.ts'
import { entries } from '../schema.ts'
import { ofRun } from './entry.ts'

/** What a run did to one record, for another run that goes by it. Values by column key. */
export type Given = Pick<
  typeof entries.$inferSelect,
  'id' | 'phase' | 'kind' | 'code' | 'recordId' | 'crmEntity' | 'crmId' | 'changes' | 'warnings'
>

const { id, phase, kind, code, recordId, crmEntity, crmId, changes, warnings } = entries
const selection = { id, phase, kind, code, recordId, crmEntity, crmId, changes, warnings }

const chosen = ({ code: wanted, entryIds }: RunSource): SQL | undefined =>
  and(wanted === undefined ? undefined : eq(code, wanted), entryIds === undefined ? undefined : inArray(id, entryIds))

type Of = { accountId: string; listId: string; source: RunSource }

/** Entries of the run that a run goes by, those of its push or all others, of some records if they are named, in the order of ids from behind `after`. */
export const pageGiven = (
  db: Database,
  { accountId, listId, source }: Of,
  { push, kinds, records }: { push: boolean; kinds: readonly Given['kind'][]; records?: readonly string[] },
  after: string | null,
  limit: number,
): Promise<Given[]> =>
  db
    .select(selection)
    .from(entries)
    .where(
      and(
        ofRun(accountId, { id: source.runId, listId, kind: source.as === 'preview' ? 'preview' : 'sync' }),
        push ? eq(phase, 'push') : ne(phase, 'push'),
        inArray(kind, [...kinds]),
        records === undefined ? undefined : inArray(recordId, [...records]),
        chosen(source),
        after === null ? undefined : gt(id, after),
      ),
    )
    .orderBy(asc(id))
    .limit(limit)

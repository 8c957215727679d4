import type { CallOptions, CrmEntity } from '../../domain/crm.ts'
import { isFairleadError, type FairleadError } from '../../domain/errors.ts'
import type { Query } from '../http/query.ts'
import { askFeed, maySplit, type Session } from '../session.ts'

/** What is read: an entity, or those of its people who fulfil a condition. */
export type Part = { entity: CrmEntity; filter?: string | undefined }

const reads: Query[] = [{ orderBy: 'Id' }, { orderBy: 'Id desc' }, { orderBy: 'Id', startIndex: 11 }]

/**
 * Shows that the CRM delivers people of that part, by one key: the first, else the last, else one further in, since the first may be the culprit;
 * that there is nobody is an answer too. When none comes, the failure `cause` that led here is not one record's and is thrown (R22); with null the control read's own.
 */
export const controlRead = async (
  session: Session,
  { entity, filter }: Part,
  cause: FairleadError | null,
  options: CallOptions,
): Promise<void> => {
  let own: unknown
  for (const read of reads) {
    try {
      await askFeed(session, session.path(entity), { ...read, select: ['Id'], where: filter, count: 1 }, options, 1)
      return
    } catch (error) {
      own ??= error
      if (!maySplit(error)) throw error
    }
  }
  throw cause ?? own
}

/**
 * Before a failure is put down to one record: the control read must succeed. A 403 may also be a server that turns away crowds, so it counts only
 * when it stays, twice more, while control reads are let through. Returns what `read` gives after all, or null when the failure stays.
 */
export const insist = async <Result>(
  session: Session,
  part: Part,
  failure: FairleadError,
  options: CallOptions,
  read: () => Promise<Result>,
): Promise<Result | null> => {
  await controlRead(session, part, failure, options)
  for (let turn = 0; failure.code === 'noRight' && turn < 2; turn += 1) {
    try {
      return await read()
    } catch (again) {
      if (!isFairleadError(again) || again.code !== 'noRight') throw again
    }
    await controlRead(session, part, failure, options)
  }
  return null
}

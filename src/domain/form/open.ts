import { FairleadError } from '../errors.ts'

/** Errors: formRemoved, formClosed. */
export const refuseClosed = ({ state, removedAt }: { state: 'open' | 'closed'; removedAt: Date | null }): void => {
  if (removedAt !== null) throw new FairleadError('formRemoved')
  if (state === 'closed') throw new FairleadError('formClosed')
}

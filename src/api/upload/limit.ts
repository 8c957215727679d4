import { FairleadError } from '../../domain/errors.ts'

/**
 * Lets each account do `most` pieces of work at a time in this process, and refuses the next at once: what takes as long as its client likes must
 * keep nobody else waiting. `refused` is called before the refusal. Nothing is kept of an account that does none. Errors: overloaded.
 */
export const createAccountLimit = (most: number) => {
  const running = new Map<string, number>()
  return async <T>(accountId: string, work: () => Promise<T>, refused?: () => void): Promise<T> => {
    const count = running.get(accountId) ?? 0
    if (count >= most) {
      refused?.()
      throw new FairleadError('overloaded', { retryAfterMs: 5000 })
    }
    running.set(accountId, count + 1)
    try {
      return await work()
    } finally {
      const left = running.get(accountId)! - 1
      if (left === 0) running.delete(accountId)
      else running.set(accountId, left)
    }
  }
}

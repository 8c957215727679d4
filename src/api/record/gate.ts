import { FairleadError } from '../../domain/errors.ts'

export type Gate = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Lets `size` pieces of work run at a time and `mostWaiting` wait. A search can hold a database connection for seconds; a few
 * people's searches must not take them all from everybody. Errors: overloaded.
 */
export const createGate = (size: number, mostWaiting: number): Gate => {
  const waiting: (() => void)[] = []
  let running = 0
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= size) {
      if (waiting.length >= mostWaiting) throw new FairleadError('overloaded', { retryAfterMs: 5000 })
      // The one that ends hands its place over, so `running` stays as it is.
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}

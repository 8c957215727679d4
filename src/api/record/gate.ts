import { FairleadError } from '../../domain/errors.ts'

export type Gate = <T>(accountId: string, work: () => Promise<T>) => Promise<T>

type Waiting = { accountId: string; enter: () => void }

/**
 * Lets `size` pieces of work run at a time, and `mostWaiting` of one account wait. A search can hold a database connection for seconds; a few
 * people's searches must not take them all from everybody. One account has all places but one at most, and of those who wait the one comes
 * next whose account has the fewest places. Errors: overloaded.
 */
export const createGate = (size: number, mostWaiting: number): Gate => {
  const most = Math.max(1, size - 1)
  const running = new Map<string, number>()
  let waiting: Waiting[] = []
  const held = (accountId: string): number => running.get(accountId) ?? 0
  const taken = (): number => [...running.values()].reduce((sum, each) => sum + each, 0)

  const enter = (accountId: string): void => {
    running.set(accountId, held(accountId) + 1)
  }
  const leave = (accountId: string): void => {
    if (held(accountId) === 1) running.delete(accountId)
    else running.set(accountId, held(accountId) - 1)
  }
  const letIn = (): void => {
    while (taken() < size) {
      const ready = waiting.filter((each) => held(each.accountId) < most)
      const [first] = ready.toSorted((a, b) => held(a.accountId) - held(b.accountId))
      if (first === undefined) return
      waiting = waiting.filter((each) => each !== first)
      enter(first.accountId)
      first.enter()
    }
  }

  return async <T>(accountId: string, work: () => Promise<T>): Promise<T> => {
    if (waiting.filter((each) => each.accountId === accountId).length >= mostWaiting) {
      throw new FairleadError('overloaded', { retryAfterMs: 5000 })
    }
    const entered = new Promise<void>((resolve) => waiting.push({ accountId, enter: resolve }))
    letIn()
    await entered
    try {
      return await work()
    } finally {
      leave(accountId)
      letIn()
    }
  }
}

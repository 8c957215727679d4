/**
 * Stores what comes, one batch after the other: what piles up while one is stored goes into the next, and nobody waits for a slow neighbour. After a failure
 * nothing more is stored. `most`: of one batch.
 */
export const piling = <Item>(store: (batch: Item[]) => Promise<void>, most = Number.POSITIVE_INFINITY) => {
  const pile: { items: Item[]; running?: Promise<void> | undefined; failed?: { error: unknown } } = { items: [] }
  const run = async (): Promise<void> => {
    // so that it never ends before it is known to run
    await Promise.resolve()
    try {
      while (pile.items.length > 0) {
        const batch = pile.items.slice(0, most)
        pile.items = pile.items.slice(most)
        await store(batch)
      }
    } catch (error) {
      pile.failed = { error }
    } finally {
      // at once: who comes later begins anew
      pile.running = undefined
    }
  }
  return {
    add(...items: Item[]): void {
      pile.items.push(...items)
      if (pile.failed === undefined) pile.running ??= run()
    },
    waiting: () => pile.items.length,
    failed: () => pile.failed !== undefined,
    /** until everything that was added is stored; throws what storing failed with */
    async stored(): Promise<void> {
      while (pile.running !== undefined) await pile.running
      if (pile.failed !== undefined) throw pile.failed.error
    },
  }
}

/**
 * Stores what comes, one batch after the other: what piles up while one is stored goes into the next, and nobody waits for a slow neighbour. After a failure
 * nothing more is stored. `most`: of one batch.
 */
export const piling = <Item>(store: (batch: Item[]) => Promise<void>, most = Number.POSITIVE_INFINITY) => {
  let piled: Item[] = []
  let running: Promise<void> | undefined
  let failed: { error: unknown } | undefined
  const run = async (): Promise<void> => {
    // so that it never ends before it is known to run
    await undefined
    try {
      while (piled.length > 0) {
        const batch = piled.slice(0, most)
        piled = piled.slice(most)
        await store(batch)
      }
    } catch (error) {
      failed = { error }
    } finally {
      // at once: who comes later begins anew
      running = undefined
    }
  }
  return {
    add(...items: Item[]): void {
      piled.push(...items)
      if (failed === undefined) running ??= run()
    },
    waiting: () => piled.length,
    failed: () => failed !== undefined,
    /** until everything that was added is stored; throws what storing failed with */
    async stored(): Promise<void> {
      while (running !== undefined) await running
      if (failed !== undefined) throw failed.error
    },
  }
}

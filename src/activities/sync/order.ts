/**
 * Works on items side by side and hands what came of them on in the items' own order, in batches, so that a cursor can follow. When an item
 * throws, nothing new is begun; what was finished is handed on, then the error is thrown. Nothing new is begun either once `stopped` says so.
 */
export const inOrder = async <Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<Result>,
  /** `next`: these results follow those stored before without a gap */
  store: (results: Result[], next: boolean) => Promise<void>,
  { batch = 50, stopped = () => false }: { batch?: number; stopped?: () => boolean } = {},
): Promise<void> => {
  const results = new Map<number, Result>()
  let next = 0
  let stored = 0
  let failed: { error: unknown } | null = null
  let storing: Promise<void> = Promise.resolve()

  const flush = async (least: number): Promise<void> => {
    const ready: Result[] = []
    for (let at = stored; results.has(at); at += 1) ready.push(results.get(at)!)
    if (ready.length < least) return
    for (let at = stored; at < stored + ready.length; at += 1) results.delete(at)
    stored += ready.length
    await store(ready, true)
  }

  const one = async (): Promise<void> => {
    while (next < items.length && failed === null && !stopped()) {
      const at = next
      next += 1
      try {
        results.set(at, await work(items[at]!))
      } catch (error) {
        failed ??= { error }
        return
      }
      storing = storing.then(() => (failed === null ? flush(batch) : undefined))
      storing.catch((error: unknown) => (failed ??= { error }))
    }
  }

  await Promise.all(Array.from({ length: Math.min(width, items.length) }, one))
  await storing
  await flush(1)
  // beyond one that failed: what was done is written down, though no cursor can pass it
  if (results.size > 0) await store([...results.values()], false)
  if (failed !== null) throw (failed as { error: unknown }).error
}

/** Work that is still to be done when nobody waits for it any more; forgotten when the simulator closes. */
export const makeLater = () => {
  const timers = new Set<NodeJS.Timeout>()
  return {
    after(ms: number, work: () => void): void {
      const timer = setTimeout(() => {
        timers.delete(timer)
        work()
      }, ms).unref()
      timers.add(timer)
    },
    stop(): void {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

export type Later = ReturnType<typeof makeLater>

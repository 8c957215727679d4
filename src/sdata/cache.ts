export type Cache<Value> = {
  /** the remembered value, else what `read` gives, once for all who ask meanwhile; a failure is not remembered */
  get(key: string, read: () => Promise<Value>): Promise<Value>
  forget(key: string): void
}

export const createCache = <Value>(maxAgeMs: number): Cache<Value> => {
  const kept = new Map<string, { until: number; value: Promise<Value> }>()
  return {
    get(key, read) {
      const known = kept.get(key)
      if (known && known.until > Date.now()) return known.value
      const value = read().catch((error: unknown) => {
        kept.delete(key)
        throw error
      })
      kept.set(key, { until: Date.now() + maxAgeMs, value })
      return value
    },
    forget: (key) => void kept.delete(key),
  }
}

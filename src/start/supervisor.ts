import { setTimeout as sleep } from 'node:timers/promises'

/** A part of the whole: `exited` is fulfilled when it has ended, whoever ended it. */
export type Part = { exited: Promise<void>; stop: () => Promise<void> }

const firstPauseMs = 500
const longestPauseMs = 30_000
const healthyMs = 60_000

/** Starts a part and starts it again, with growing pauses, whenever it ends by itself. An error of the first start is thrown. */
export const supervise = async <P extends Part>(
  name: string,
  start: () => Promise<P>,
  say: (sentence: string) => void,
): Promise<{ first: P; stop: () => Promise<void> }> => {
  const stopping = new AbortController()
  const first = await start()
  let current: P | undefined = first
  const again = async (pauseMs: number): Promise<P | undefined> => {
    await sleep(pauseMs, undefined, { signal: stopping.signal })
    try {
      return await start()
    } catch (error) {
      say(`The ${name} did not start: ${(error as Error).message}`)
      return undefined
    }
  }
  const watch = async () => {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const since = Date.now()
      await current?.exited
      if (stopping.signal.aborted) return
      if (Date.now() - since > healthyMs) pauseMs = firstPauseMs
      if (current) say(`The ${name} ended unexpectedly; it is started again in ${pauseMs / 1000} s.`)
      current = await again(pauseMs)
      if (stopping.signal.aborted) return current?.stop()
    }
  }
  const watching = watch().catch((error: Error) => {
    if (error.name !== 'AbortError') throw error
  })
  const stop = async () => {
    stopping.abort()
    await current?.stop()
    await watching
  }
  return { first, stop }
}

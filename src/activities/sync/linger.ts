import { setMaxListeners } from 'node:events'

/** A write that is under way when the run is stopped may end for so long: what the CRM has done is to be written down here. */
const lingerMs = 10_000

/** Ends so much later than `signal`. Any number of requests may wait for it. */
export const lingering = (signal: AbortSignal): AbortSignal => {
  const late = new AbortController()
  setMaxListeners(0, late.signal)
  const end = (): void => void setTimeout(() => late.abort(signal.reason), lingerMs).unref()
  signal.addEventListener('abort', end, { once: true })
  return late.signal
}

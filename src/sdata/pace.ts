import type { Budget, CallOptions } from '../domain/crm.ts'
import { FairleadError, isFairleadError } from '../domain/errors.ts'

/** A budget without limits, for tests and tools. */
export const unlimitedBudget = (): Budget => {
  const { signal } = new AbortController()
  return { take: async () => ({ signal, report: () => undefined, release: async () => undefined }) }
}

type Outcome = { status: number; retryAfterMs: number | null }

const strained = new Set([408, 429, 502, 503, 504])

const isStrain = (error: unknown): boolean =>
  isFairleadError(error) && (error.code === 'crmTimeout' || error.code === 'crmUnreachable')

/**
 * Runs one HTTP request inside a slot of the connection's budget (R26) and tells the pace what it saw. The signal given to `request` ends with
 * the caller's (its own reason is thrown) and with the slot's lease (leaseLost).
 */
export const inSlot = async <Result extends Outcome>(
  budget: Budget,
  options: CallOptions,
  request: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> => {
  options.signal?.throwIfAborted()
  const slot = await budget.take(options.priority ?? 'bulk', options.signal)
  const controller = new AbortController()
  const lost = (): void => controller.abort(new FairleadError('leaseLost'))
  const cancel = (): void => controller.abort(options.signal?.reason)
  slot.signal.addEventListener('abort', lost, { once: true })
  options.signal?.addEventListener('abort', cancel, { once: true })
  const startedAt = performance.now()
  const elapsed = (): number => Math.round(performance.now() - startedAt)
  try {
    if (slot.signal.aborted) lost()
    if (options.signal?.aborted) cancel()
    controller.signal.throwIfAborted()
    const result = await request(controller.signal)
    slot.report({ ms: elapsed(), ok: !strained.has(result.status), pause: result.retryAfterMs })
    return result
  } catch (error) {
    if (!controller.signal.aborted) slot.report({ ms: elapsed(), ok: !isStrain(error), pause: null })
    throw error
  } finally {
    slot.signal.removeEventListener('abort', lost)
    options.signal?.removeEventListener('abort', cancel)
    await slot.release()
  }
}

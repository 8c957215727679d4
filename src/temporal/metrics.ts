import { Runtime } from '@temporalio/worker'
import type { Budget } from '../domain/crm.ts'

const meters = () => {
  const { metricMeter } = Runtime.instance()
  return {
    wait: metricMeter.createHistogram(
      'fairlead_crm_slot_wait_seconds',
      'float',
      's',
      'Time that a request to a CRM waited for its share of the connection',
    ),
    duration: metricMeter.createHistogram(
      'fairlead_crm_request_duration_seconds',
      'float',
      's',
      'Time that one request to a CRM took, its whole answer included',
    ),
  }
}
let known: ReturnType<typeof meters> | undefined

/** The requests to all CRMs, in the figures that the worker serves beside Temporal's own; never whose CRM it is (R37). */
export const measured = (budget: Budget): Budget => ({
  async take(priority, signal) {
    known ??= meters()
    const { wait, duration } = known
    const began = performance.now()
    const slot = await budget.take(priority, signal)
    wait.record((performance.now() - began) / 1000, { priority })
    return {
      ...slot,
      report(outcome) {
        duration.record(outcome.ms / 1000, { priority, outcome: outcome.ok ? 'ok' : 'trouble' })
        slot.report(outcome)
      },
    }
  },
})

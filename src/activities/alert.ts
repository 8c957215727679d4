import { waitAfter, type AlertShown, type Attempt, type Sent } from '../domain/alert.ts'
import { isFairleadError } from '../domain/errors.ts'
import * as accounts from '../db/account.ts'
import * as alerts from '../db/alert.ts'
import * as deliveries from '../db/alert/delivery.ts'
import { noteAllUnwritten } from '../db/optOut/alert.ts'
import { secretsOf, type Webhook } from '../db/webhook.ts'
import type { Dependencies } from './dependencies.ts'

type Input = { accountId: string; deliveryId: string }

/** How long a delivery waits for an earlier one of its alert, at least: what is under way ends soon. */
const behindMs = 1000
/** … and at most after that one was due: its worker may be gone, and each look is a line in the history. */
const mostBehindMs = 60_000

/** The later the earlier one is, the seldomer it is looked for. */
const behind = (untilMs: number): number => Math.max(behindMs, untilMs > 0 ? untilMs : Math.min(-untilMs, mostBehindMs))
/** How long alerts that are over, and what was told, are kept. */
const alertDays = 90

const mailTo = async (
  { db, alerts: { sendMail } }: Dependencies,
  { accountId, id, body }: deliveries.Delivery,
): Promise<Sent> => {
  if (sendMail === null) return { status: null, error: 'mailNotConfigured', final: true }
  const { alertEmails: to } = await accounts.get(db, accountId)
  // nobody wants it any more
  if (to.length === 0) return { status: null, error: null }
  const { data } = JSON.parse(body) as { data: AlertShown }
  return sendMail({ to, id, alert: data })
}

const send = async (deps: Dependencies, delivery: deliveries.Delivery, webhook: Webhook | null): Promise<Sent> => {
  if (webhook === null) return mailTo(deps, delivery)
  const { id, body } = delivery
  try {
    return await deps.alerts.sendWebhook({ url: webhook.url, id, body, secrets: secretsOf(deps.secrets, webhook) })
  } catch (error) {
    // a secret that no key of this worker opens
    if (!isFairleadError(error)) throw error
    deps.log.error({ webhookId: webhook.id, code: error.code }, 'a webhook cannot be called')
    return { status: null, error: 'internal' }
  }
}

const attempt = async (
  deps: Dependencies,
  delivery: deliveries.Delivery,
  webhook: Webhook | null,
): Promise<number | null> => {
  const begun = Date.now()
  const { status, error, final = false } = await send(deps, delivery, webhook)
  const noted: Attempt = { at: new Date(begun).toISOString(), status, ms: Date.now() - begun, error }
  const waitMs = error === null || final ? null : waitAfter(delivery.tries + 1, deps.alerts.retrySeconds)
  await deliveries.noteAttempt(deps.db, delivery, noted, waitMs)
  const { id: deliveryId, channel, accountId } = delivery
  if (error !== null)
    deps.log.warn({ accountId, deliveryId, channel, status, error, waitMs }, 'an alert did not arrive')
  return waitMs
}

export const alertActivities = (deps: Dependencies) => ({
  /**
   * One attempt, when it is due and what was told before has gone out; answers how long the next one waits, null when there is none. Repeated
   * after a crash it may send once more, with the same id.
   */
  async sendAlert({ accountId, deliveryId }: Input): Promise<{ waitMs: number | null }> {
    const found = await deliveries.findPending(deps.db, accountId, deliveryId)
    if (found === undefined) return { waitMs: null }
    const { delivery, webhook, afterAt } = found
    const now = Date.now()
    if (afterAt !== null) return { waitMs: behind(afterAt.getTime() - now) }
    const early = (delivery.nextAt?.getTime() ?? now) - now
    // the clocks of database, engine and worker are not the same
    if (early > behindMs) return { waitMs: early }
    return { waitMs: await attempt(deps, delivery, webhook) }
  },

  /** Hourly: problems that last are told once a day, what lost its workflow goes on, and what is old goes. */
  async tellAlerts(): Promise<{ told: number }> {
    await noteAllUnwritten(deps.db)
    await alerts.closeOver(deps.db)
    const told = await alerts.tellDue(deps.db)
    await alerts.recoverDeliveries(deps.db)
    await alerts.removeOld(deps.db, alertDays)
    await deps.deliverOutbox()
    return { told }
  },
})

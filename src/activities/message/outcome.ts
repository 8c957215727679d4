import type { Outcome } from '../../db/delivery/settle.ts'
import type { HandOver } from '../../domain/delivery.ts'
import type { UnknownFate } from '../../domain/message.ts'

export type Judging = {
  delivery: Outcome['delivery'] & { tries: number }
  policy: UnknownFate
  retrySeconds: readonly number[]
  sentAt: Date
  /** others were accepted meanwhile, so what stopped this one may be its own */
  othersWork: boolean
}

/** Until a mail is tried again that stopped the server: others come first. */
const stoppedMs = 60_000

const later = (tries: number, seconds: readonly number[]): number | null => {
  const wait = seconds[tries]
  return wait === undefined ? null : wait * 1000
}

/** What becomes of a mail by what the mail server said, or did not say. */
export const outcomeOf = (said: HandOver, { delivery, policy, retrySeconds, sentAt, othersWork }: Judging): Outcome => {
  const { tries } = delivery
  const afterMs = later(tries, retrySeconds)
  const again = (code: string): Outcome =>
    afterMs === null
      ? { delivery, state: 'rejected', code: 'mailTransient', isTry: true }
      : { delivery, state: 'waiting', code, isTry: true, afterMs }
  if (said.fate === 'accepted')
    return { delivery, state: 'accepted', code: null, status: said.status, smtpCode: said.code, isTry: true, sentAt }
  if (said.fate === 'unknown')
    return policy === 'leave' || afterMs === null
      ? { delivery, state: 'unknown', code: 'fateUnknown', isUnsure: true, isTry: true, sentAt }
      : { ...again('fateUnknown'), isUnsure: true, sentAt }
  if (said.fate === 'stopped')
    return othersWork && said.trouble === 'mailUnreachable'
      ? { ...again(said.trouble), status: said.status }
      : { delivery, state: 'waiting', code: said.trouble, status: said.status, afterMs: othersWork ? stoppedMs : 0 }
  const answer = { status: said.status, smtpCode: said.code }
  if (!said.isPermanent) return { ...again('mailTransient'), ...answer }
  return { delivery, state: 'rejected', code: 'mailRefused', ...answer, isTry: true, isDead: said.isDead }
}

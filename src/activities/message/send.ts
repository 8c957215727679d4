import { setTimeout as sleep } from 'node:timers/promises'
import { claim, giveBack, renew, type Claimed } from '../../db/delivery/claim.ts'
import { pack, unpack } from '../../db/delivery/content.ts'
import type { Job } from '../../db/delivery/job.ts'
import { mark, type Marked } from '../../db/delivery/mark.ts'
import { newToken } from '../../db/delivery/token.ts'
import { withPlainLines, type Content, type MailServer, type MailTrouble } from '../../domain/delivery.ts'
import { isFairleadError } from '../../domain/errors.ts'
import type { Dependencies } from '../dependencies.ts'
import { outcomeOf } from './outcome.ts'
import { createSettler } from './settler.ts'
import { createValues } from './values.ts'

/** Claimed at a time. */
const claimRows = 100
/** A worker that is gone loses its mails to others after so long; one that lives says so in time. */
const leaseMs = 15_000
/** How long a worker that stops waits for answers under way, within what it is given (temporal/worker.ts). */
const lastAnswersMs = 12_000

type Ready = { delivery: Claimed; previewToken: string; unsubscribeToken: string; content: Content }

export type Sending = {
  deps: Dependencies
  job: Job
  server: MailServer
  publicUrl: string
  claimId: string
  signal: AbortSignal
  endAt: number
}

/** `trouble`: why nobody is sent anything for now. */
export type Sent = { rows: number; accepted: number; trouble: MailTrouble | null; stop: boolean }

/**
 * Sends what is due of a run, as many mails at once as there are connections, until nothing is due, time is over or somebody stops it. Each mail is marked
 * before it is handed over and settled after it, so a crash loses none, and only those that were just under way are of unknown fate.
 */
export const sendDue = async ({ deps, job, server, publicUrl, claimId, signal, endAt }: Sending): Promise<Sent> => {
  const { db, mail } = deps
  const { accountId, definition } = job
  const template = definition.html
  const compiled = mail.compile(definition)
  const valuesOf = createValues(db, accountId, definition.audience)
  const settler = createSettler(db, job, claimId, (id) => open.delete(id))
  const sent: Sent = { rows: 0, accepted: 0, trouble: null, stop: false }
  const ready: Ready[] = []
  const marked: Ready[] = []
  /** claimed, and not settled */
  const open = new Set<string>()
  let isDry = false

  const mayGoOn = (): boolean => sent.trouble === null && !signal.aborted && !settler.cancelRequested()

  const contentOf = (
    delivery: Claimed,
    values: Record<string, string>,
    preview: string,
    unsubscribe: string,
  ): Content => {
    const kept = delivery.content === null ? null : unpack(delivery.content, template)
    if (kept !== null) return { ...kept, html: kept.html.toString() }
    const links = {
      unsubscribeUrl: mail.links.unsubscribe(publicUrl, unsubscribe),
      previewUrl: mail.links.preview(publicUrl, preview),
    }
    return withPlainLines(compiled.render({ record: values, ...links }))
  }

  const prepare = async (delivery: Claimed, values: Record<string, string>): Promise<void> => {
    const previewToken = delivery.previewToken ?? newToken()
    const unsubscribeToken = delivery.unsubscribeToken ?? newToken()
    try {
      const content = contentOf(delivery, values, previewToken, unsubscribeToken)
      ready.push({ delivery, previewToken, unsubscribeToken, content })
    } catch (error) {
      if (!isFairleadError(error)) throw error
      await settler.add({ delivery, state: 'rejected', code: error.code })
    }
  }

  const fill = async (): Promise<void> => {
    if (isDry || Date.now() >= endAt) return
    const claimed = await claim(db, job, claimId, { limit: claimRows, leaseMs })
    if (claimed.length === 0) isDry = true
    for (const { id } of claimed) open.add(id)
    const wanted = claimed.filter(({ skip }) => skip === null)
    for (const delivery of claimed)
      if (delivery.skip !== null) await settler.add({ delivery, state: 'skipped', code: delivery.skip })
    const values = await valuesOf(wanted)
    for (const delivery of wanted) await prepare(delivery, values.get(delivery.recordId ?? '') ?? {})
    sent.rows += claimed.length
  }

  const markNext = async (): Promise<void> => {
    if (ready.length === 0) await fill()
    const next = ready.splice(0, 2 * server.connections)
    if (next.length === 0) return
    const rows: Marked[] = next.map(({ delivery, previewToken, unsubscribeToken, content }) => ({
      id: delivery.id,
      previewToken,
      unsubscribeToken,
      packed: pack(content, template),
    }))
    const mine = await mark(db, accountId, claimId, rows)
    marked.push(...next.filter(({ delivery }) => mine.has(delivery.id)))
  }

  // one at a time, a little ahead of those who send
  let marking: Promise<void> | undefined
  const refill = (): Promise<void> => {
    marking ??= markNext().finally(() => {
      marking = undefined
    })
    return marking
  }
  const take = async (): Promise<Ready | undefined> => {
    while (marked.length === 0 && mayGoOn()) {
      await refill()
      if (marked.length === 0 && ready.length === 0 && (isDry || Date.now() >= endAt)) return undefined
    }
    if (!mayGoOn()) return undefined
    const next = marked.shift()
    if (marked.length < server.connections && mayGoOn()) void refill().catch(() => undefined)
    return next
  }

  const handOver = async ({ delivery, unsubscribeToken, content }: Ready): Promise<void> => {
    const { id: deliveryId, email: to } = delivery
    const link = mail.links.unsubscribe(publicUrl, unsubscribeToken)
    const sentAt = new Date()
    const { from, replyTo, unknownFate: policy } = definition
    const said = await server.send({ deliveryId, to, from, replyTo, content, unsubscribeUrl: link })
    if (said.fate === 'accepted') sent.accepted += 1
    if (said.fate === 'stopped') sent.trouble ??= said.trouble
    const judging = { delivery, policy, retrySeconds: mail.retrySeconds, sentAt, othersWork: sent.accepted > 0 }
    await settler.add(outcomeOf(said, judging))
  }

  const work = async (): Promise<void> => {
    for (let next = await take(); next !== undefined; next = await take()) await handOver(next)
  }

  const keeping = setInterval(() => void renew(db, claimId, open, leaseMs).catch(() => undefined), leaseMs / 3)
  try {
    const all = Promise.all(Array.from({ length: server.connections }, work))
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([all, stopped.then(() => sleep(lastAnswersMs, undefined, { ref: false }))])
    await marking
    // marked, and not handed over any more
    for (const { delivery } of marked.splice(0)) await settler.add({ delivery, state: 'waiting', code: null })
  } finally {
    clearInterval(keeping)
    try {
      await settler.end()
    } finally {
      await giveBack(db, claimId, open)
    }
  }
  return { ...sent, stop: settler.cancelRequested() }
}

import { createHmac } from 'node:crypto'

/**
 * The headers of Standard Webhooks: an id that stays through all attempts, the time of this one in seconds, and a signature with each secret
 * (`whsec_` and base64), the newest first.
 */
export const signed = (
  { id, body, secrets }: { id: string; body: string; secrets: string[] },
  nowMs = Date.now(),
): Record<string, string> => {
  const timestamp = `${Math.floor(nowMs / 1000)}`
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}

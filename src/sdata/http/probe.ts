import type { CallOptions } from '../../domain/crm.ts'
import { FairleadError, type CrmSaid } from '../../domain/errors.ts'
import type { Client } from './client.ts'
import { fromDiagnosis } from './failure.ts'
import { diagnose, diagnoseText } from './diagnosis.ts'
import { parseJson } from './json.ts'
import type { Reply } from './wire.ts'

const marks = ['$resources', '$diagnoses', 'diagnoses', '$url', '$descriptor']

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const speaksSdata = (text: string): boolean => {
  if (text.includes('schemas.sage.com/sdata')) return true
  try {
    const json = parseJson(text)
    if (!Array.isArray(json)) return isObject(json) && (marks.some((mark) => mark in json) || diagnose(json) !== null)
    const [first] = json as unknown[]
    return isObject(first) && ('sdataCode' in first || ('message' in first && 'severity' in first))
  } catch {
    return false
  }
}

/** The vendor's own classifier (3.3): is this an SData server at all? The reply must come from a request without credentials. */
export const isSdata = ({ status, headers, text }: Pick<Reply, 'status' | 'headers' | 'text'>): boolean => {
  const challenged = (status === 401 || status === 403) && headers['www-authenticate'] !== undefined
  return challenged || speaksSdata(text)
}

/**
 * Tries the roots in turn and returns the first where an SData server answers. Throws notInforCrm when something else answers at all of them,
 * the transient code when the server is failing, and what the socket says.
 */
export const findRoot = async (client: Client, roots: string[], options: CallOptions): Promise<string> => {
  let said: CrmSaid = {}
  let failing: FairleadError | null = null
  for (const root of roots) {
    const reply = await client.exchange({ path: 'slx/system/-/', root, anonymous: true }, options)
    if (isSdata(reply)) {
      const here = new URL(reply.url)
      const upgraded = here.protocol === 'https:' && root.startsWith('http:')
      return upgraded ? `https://${here.host}${new URL(root).pathname}` : root
    }
    // not its text: whoever may connect a CRM must not read what else stands in the network (R38)
    said = { status: reply.status }
    if (reply.status >= 500 || reply.status === 429 || reply.status === 408)
      failing = fromDiagnosis(reply.status, diagnoseText(reply.text), reply.retryAfterMs)
  }
  throw failing ?? new FairleadError('notInforCrm', { crm: said })
}

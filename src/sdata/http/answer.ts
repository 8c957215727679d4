import { FairleadError } from '../../domain/errors.ts'
import { diagnose, diagnoseText } from './diagnosis.ts'
import { fromDiagnosis } from './failure.ts'
import { parseJson } from './json.ts'

export type Answer = { json: unknown; text: string; status: number; ms: number }

type Raw = { status: number; text: string; retryAfterMs: number | null; ms: number }
type Asked = { path: string; xml?: boolean; send?: object }

const startsAs = (text: string): 'json' | 'markup' | 'empty' | 'text' => {
  const first = text.trimStart().charAt(0)
  if (first === '{' || first === '[') return 'json'
  if (first === '<') return 'markup'
  return first === '' ? 'empty' : 'text'
}

const failed = ({ status, text, retryAfterMs }: Raw): FairleadError => {
  if (startsAs(text) === 'json') {
    try {
      const said = diagnose(parseJson(text))
      if (said) return fromDiagnosis(status, said, retryAfterMs)
    } catch {
      // broken JSON: read it as text
    }
  }
  return fromDiagnosis(status, diagnoseText(startsAs(text) === 'json' ? '' : text), retryAfterMs)
}

/**
 * 404 for a whole kind: with the CRM's own diagnosis the feed is switched off; without it something else answers in its place. What a refused
 * write says does not exist may be anything that the values name.
 */
export const inPlace = (error: FairleadError, { path, send }: Asked): FairleadError => {
  if (error.code !== 'crmNotFound') return error
  const { status } = error.details.crm ?? {}
  if (send && status !== 404 && status !== 410) return new FairleadError('crmRefused', error.details)
  if (path.includes('(')) return error
  return new FairleadError(error.details.crm?.code ? 'entityDisabled' : 'crmAnswer', error.details)
}

/**
 * Understands a reply: JSON (or XML text where asked for), else an error of section 12, also when it hides under 200.
 * Throws FairleadError; `path` tells a kind (`…/leads`) from one resource (`…/leads('Q…')`).
 */
export const readAnswer = (raw: Raw, asked: Asked): Answer => {
  const { status, text, ms } = raw
  const { xml = false } = asked
  if (status < 200 || status >= 300) throw inPlace(failed(raw), asked)
  const shape = startsAs(text)
  if (shape === 'empty' && asked.send) return { json: null, text, status, ms }
  if (shape === 'json') {
    const json = parseJson(text)
    const said = diagnose(json)
    if (said) throw inPlace(fromDiagnosis(status, said, raw.retryAfterMs), asked)
    if (!xml) return { json, text, status, ms }
  }
  if (shape === 'markup') {
    const said = diagnoseText(text)
    if (said.code !== undefined || said.severity !== '')
      throw inPlace(fromDiagnosis(status, said, raw.retryAfterMs), asked)
    if (xml && !/^\s*<(!doctype\s+html|html)/i.test(text)) return { json: null, text, status, ms }
    throw new FairleadError('crmAnswer', { crm: { status, message: said.message } })
  }
  throw new FairleadError('crmAnswer', { crm: { status } })
}

import { FairleadError } from '../../domain/errors.ts'
import { diagnose, diagnoseText } from './diagnosis.ts'
import { fromDiagnosis } from './failure.ts'
import { parseJson } from './json.ts'

export type Answer = { json: unknown; text: string; status: number }

type Raw = { status: number; text: string; retryAfterMs: number | null }

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

/** 404 for a whole kind: with the CRM's own diagnosis the feed is switched off; without it something else answers in its place. */
const aboutKind = (error: FairleadError, path: string): FairleadError => {
  if (error.code !== 'crmNotFound' || path.includes('(')) return error
  return new FairleadError(error.details.crm?.code ? 'entityDisabled' : 'crmAnswer', error.details)
}

/**
 * Understands a reply: JSON (or XML text where asked for), else an error of section 12, also when it hides under 200.
 * Throws FairleadError; `path` tells a kind (`…/leads`) from one resource (`…/leads('Q…')`).
 */
export const readAnswer = (raw: Raw, xml: boolean, path: string): Answer => {
  const { status, text } = raw
  if (status < 200 || status >= 300) throw aboutKind(failed(raw), path)
  const shape = startsAs(text)
  if (shape === 'json') {
    const json = parseJson(text)
    const said = diagnose(json)
    if (said) throw aboutKind(fromDiagnosis(status, said, raw.retryAfterMs), path)
    if (!xml) return { json, text, status }
  }
  if (shape === 'markup') {
    const said = diagnoseText(text)
    if (said.code !== undefined || said.severity !== '')
      throw aboutKind(fromDiagnosis(status, said, raw.retryAfterMs), path)
    if (xml && !/^\s*<(!doctype\s+html|html)/i.test(text)) return { json: null, text, status }
    throw new FairleadError('crmAnswer', { crm: { status, message: said.message } })
  }
  throw new FairleadError('crmAnswer', { crm: { status } })
}

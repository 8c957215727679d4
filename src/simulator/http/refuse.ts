import { Refusal, type Diagnosis } from '../diagnosis.ts'
import { Poisoned } from '../contracts/poison.ts'
import type { Strikes } from '../faults.ts'
import type { Settings } from '../settings.ts'
import { diagnosesXml } from './atom.ts'
import { MfaRequired, mfaBody } from './door.ts'

export type Answer = {
  status: number
  body: string | Buffer
  type: string
  headers: Record<string, string | string[]>
  /** of a batch */
  items?: number
}

export const htmlPage = (title: string, text: string): string =>
  `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1><p>${text}</p></body></html>`

export const html = (status: number, title: string, text: string): Answer => ({
  status,
  body: htmlPage(title, text),
  type: 'text/html; charset=utf-8',
  headers: {},
})

const sorry = "We're sorry, you've encountered an error. If applicable, please try again."

export const diagnosisAnswer = (
  status: number,
  diagnosis: Diagnosis,
  json: boolean,
  shape: Settings['errorShape'],
  headers: Record<string, string> = {},
): Answer => {
  if (!json) return { status, body: diagnosesXml([diagnosis]), type: 'application/xml; charset=utf-8', headers }
  const value = shape === 'array' ? [diagnosis] : shape === 'object' ? { $diagnoses: [diagnosis] } : diagnosis
  return { status, body: JSON.stringify(value), type: 'application/json; charset=utf-8', headers }
}

/** What was thrown while the request was worked on. */
export const diagnosisOf = (error: unknown): { status: number; diagnosis: Diagnosis } => {
  if (error instanceof Refusal) return error
  const stackTrace = error instanceof Error ? String(error.stack) : String(error)
  const more = error instanceof Poisoned ? {} : { stackTrace }
  return new Refusal(500, 'ApplicationDiagnosis', sorry, more)
}

export const refusalAnswer = (error: unknown, json: boolean, settings: Settings, base: string): Answer => {
  if (error instanceof Poisoned) return html(500, 'Server Error in Application', sorry)
  if (error instanceof MfaRequired)
    return { status: 401, body: mfaBody(base), type: 'application/json; charset=utf-8', headers: {} }
  const { status, diagnosis } = diagnosisOf(error)
  const headers = error instanceof Refusal ? error.headers : {}
  return diagnosisAnswer(status, diagnosis, json, settings.errorShape, headers)
}

/** Faults that answer instead of the CRM. */
export const struckAnswer = (strikes: Strikes, json: boolean, url: string): Answer | undefined => {
  const failed = (status: number, message: string, more: Partial<Diagnosis> = {}): Diagnosis => ({
    ...new Refusal(status, 'ApplicationDiagnosis', message).diagnosis,
    ...more,
  })
  const unavailable = strikes.get('unavailable')
  if (unavailable)
    return {
      ...html(503, 'Service Unavailable', 'The service is unavailable.'),
      headers: { 'Retry-After': String(unavailable.retryAfter ?? 1) },
    }
  const tooMany = strikes.get('tooMany')
  if (tooMany)
    return {
      ...html(429, 'Too Many Requests', 'Slow down.'),
      headers: { 'Retry-After': String(tooMany.retryAfter ?? 1) },
    }
  const redirect = strikes.get('redirect')
  if (redirect)
    return {
      ...html(redirect.status ?? 302, 'Object moved', 'Object moved to here.'),
      headers: { Location: redirect.to + url },
    }
  const page = strikes.get('htmlError')
  if (page) return html(page.status ?? 500, 'Server Error in Application', sorry)
  const array = strikes.get('errorArray')
  if (array) {
    const { severity = 'Error', sdataCode = 'ApplicationDiagnosis' } = array
    return diagnosisAnswer(
      array.status ?? 200,
      failed(200, array.message ?? sorry, { severity, sdataCode }),
      json,
      'array',
    )
  }
  const object = strikes.get('diagnoses')
  if (object) return diagnosisAnswer(object.status ?? 500, failed(500, object.message ?? sorry), json, 'object')
  const xml = strikes.get('xmlError')
  if (xml) return diagnosisAnswer(xml.status ?? 500, failed(500, sorry), false, 'array')
  const text = strikes.get('textError')
  if (text) return { status: text.status ?? 500, body: sorry, type: 'text/plain; charset=utf-8', headers: {} }
  const empty = strikes.get('emptyError')
  if (empty) return { status: empty.status ?? 500, body: '', type: 'text/plain', headers: {} }
  const forbidden = strikes.get('forbidden')
  if (forbidden && forbidden.ids === undefined)
    return diagnosisAnswer(403, failed(403, 'You do not have access to this feature.'), json, 'array')
  return undefined
}

import { FairleadError, isFairleadError, type CrmSaid, type ErrorCode } from '../../domain/errors.ts'
import type { Diagnosis } from './diagnosis.ts'

const certificate =
  /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|ERROR_IN_CERT|CRL_|PATH_LENGTH|ERR_SSL_.*CERTIFICATE)/
const badHttp = /^(HPE_|UND_ERR_(HEADERS_OVERFLOW|INVALID_ARG|RES_EXCEEDED|RESPONSE))/

const codeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return ''
  const own = (error as NodeJS.ErrnoException).code
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause
  return own ?? (inner ? codeOf(inner) : '')
}

/** Maps what sockets, DNS and TLS throw. The system's own code is kept as `crm.code`; its text, which may hold addresses, is not. */
export const fromSocket = (error: unknown): FairleadError => {
  if (isFairleadError(error)) return error
  if (error instanceof Error && isFairleadError(error.cause)) return error.cause
  if (error instanceof AggregateError) {
    const ours = error.errors.find(isFairleadError)
    if (ours) return ours
  }
  const code = codeOf(error)
  const crm: CrmSaid = code === '' ? {} : { code }
  if (certificate.test(code)) return new FairleadError('crmCertificate', { crm })
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT')
    return new FairleadError('crmTimeout', { crm })
  if (badHttp.test(code)) return new FairleadError('crmAnswer', { crm })
  if (code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return new FairleadError('crmUnreachable', {
      detail: 'The CRM’s address does not speak TLS as this machine does.',
      crm,
    })
  return new FairleadError('crmUnreachable', { crm })
}

/** Milliseconds from a Retry-After header in seconds or as a date, at most an hour; null where there is none. */
export const readRetryAfter = (header: string | string[] | undefined, nowMs = Date.now()): number | null => {
  const value = [header].flat()[0]?.trim() ?? ''
  if (value === '') return null
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, Math.round(ms)), 3_600_000)
}

const kindGone = /^(ApplicationNotFound|ResourceKindNotFound|ContractNotFound)$/i
const paused = /^(ApplicationUnavailable|DatasetUnavailable)$/i
const gone = /does not exist|not found|no longer exists/i

const byStatus = (status: number): ErrorCode | null => {
  if (status === 408 || status === 504) return 'crmTimeout'
  if (status === 429 || status === 503) return 'crmBusy'
  if (status >= 500) return 'crmFailed'
  if (status === 404 || status === 410) return 'crmNotFound'
  if (status === 412) return 'crmChanged'
  return null
}

const choose = (status: number, said: Diagnosis): ErrorCode => {
  if (said.mfaRequired) return 'mfaRequired'
  if (said.passwordExpired && (status === 401 || status === 403)) return 'passwordExpired'
  if (status === 401) return 'loginRefused'
  if (status === 403) return 'noRight'
  if (said.unknownProperty) return 'unknownProperty'
  if (kindGone.test(said.code ?? '')) return 'entityDisabled'
  const plain = byStatus(status)
  if (plain !== null) return plain
  if (said.severity === 'transient' || said.severity === 'fatal' || paused.test(said.code ?? '')) return 'crmFailed'
  if (/^ApplicationDiagnosis$/i.test(said.code ?? '') && gone.test(said.message ?? '')) return 'crmNotFound'
  // A list of errors under 200 (WHA) is the server's own exception unless it says that the query was wrong.
  if (status < 300) return /^Bad/i.test(said.code ?? '') ? 'crmRefused' : 'crmFailed'
  return status < 400 ? 'crmAnswer' : 'crmRefused'
}

/** Maps an error reply. 401 and 403 come as loginRefused and noRight; what they mean during work is found out by a login check (R21). */
export const fromDiagnosis = (status: number, said: Diagnosis, retryAfterMs: number | null): FairleadError => {
  const crm: CrmSaid = { status, code: said.code, message: said.message, field: said.field }
  return new FairleadError(choose(status, said), { crm, ...(retryAfterMs === null ? {} : { retryAfterMs }) })
}

export type SdataCode =
  | 'ApplicationDiagnosis'
  | 'ApplicationNotFound'
  | 'BadQueryParameter'
  | 'BadUrlSyntax'
  | 'BadWhereSyntax'

export type Diagnosis = {
  severity: 'Error' | 'Warning' | 'Transient' | 'Fatal'
  sdataCode: string
  applicationCode: string
  message: string
  stackTrace: string
  payloadPath: string
}

/** Thrown anywhere while a request is worked on; becomes its answer. */
export class Refusal extends Error {
  readonly status: number
  readonly diagnosis: Diagnosis
  readonly headers: Record<string, string>

  constructor(
    status: number,
    sdataCode: SdataCode,
    message: string,
    more: { stackTrace?: string; severity?: Diagnosis['severity']; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.status = status
    this.headers = more.headers ?? {}
    this.diagnosis = {
      severity: more.severity ?? 'Error',
      sdataCode,
      applicationCode: '',
      message,
      stackTrace: more.stackTrace ?? '',
      payloadPath: '',
    }
  }
}

export const unknownProperty = (status: number, name: string, entity: string): Refusal =>
  new Refusal(
    status,
    'ApplicationDiagnosis',
    `could not resolve property: ${name} of: Sage.SalesLogix.Entities.${entity}`,
  )

export const noHandler = (path: string): Refusal =>
  new Refusal(404, 'ApplicationNotFound', `Unable to locate a handler to process the request '${path}'`)

export const notFound = (entity: string, id: string): Refusal =>
  new Refusal(404, 'ApplicationDiagnosis', `${entity} with the key '${id}' was not found.`)

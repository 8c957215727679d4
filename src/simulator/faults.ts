export type Match = {
  method?: string
  contract?: string
  /** resource kind in the URL: leads, contacts, $service … */
  kind?: string
  /** part of the decoded URL, query included */
  contains?: string
}

type Common = {
  /** how many requests it strikes; without it, until it is cleared */
  times?: number
  /** how many matching requests pass first */
  after?: number
  match?: Match
}

export type Fault = Common &
  (
    | { kind: 'slow'; ms: number; when?: 'before' | 'after' }
    | { kind: 'unavailable'; retryAfter?: number }
    | { kind: 'tooMany'; retryAfter?: number }
    | { kind: 'htmlError'; status?: number }
    | {
        kind: 'errorArray'
        status?: number
        message?: string
        severity?: 'Error' | 'Transient' | 'Fatal'
        sdataCode?: string
      }
    | { kind: 'diagnoses'; status?: number; message?: string }
    | { kind: 'textError'; status?: number }
    | { kind: 'xmlError'; status?: number }
    | { kind: 'emptyError'; status?: number }
    | { kind: 'drop' }
    | { kind: 'dropAfterWrite' }
    | { kind: 'hang' }
    | { kind: 'hangAfterWrite' }
    /** drops or hangs at once; the write is done so much later, whatever becomes of the fault meanwhile */
    | { kind: 'lateWrite'; ms: number; answer: 'hang' | 'drop' }
    | { kind: 'truncate'; share?: number }
    | { kind: 'shortPages'; rows: number }
    | { kind: 'totals'; factor?: number; value?: number; missing?: boolean }
    | { kind: 'foreignHost'; host?: string }
    | { kind: 'noNext' }
    | { kind: 'disabledKind'; name: string }
    /** holds until it is cleared, whatever `times` and `match` say */
    | { kind: 'missingProperty'; entity: string; property: string; renamedTo?: string }
    | { kind: 'poison'; ids: string[] }
    | { kind: 'forbidden'; ids?: string[] }
    /** a rule of the CRM refuses what is written about these people: their own rows, and history entries */
    | { kind: 'refused'; ids: string[]; message?: string }
    | { kind: 'expired' }
    | { kind: 'mfa' }
    | { kind: 'redirect'; to: string; status?: number }
    | { kind: 'lostRows'; every: number }
    /** these rows are missing wherever the property is selected, as where a server joins what is null */
    | { kind: 'hiddenRows'; ids: string[]; property: string }
    | { kind: 'wrongOrder' }
  )

export type FaultKind = Fault['kind']
export type Of<Kind extends FaultKind> = Fault & { kind: Kind }

export const faultKinds: FaultKind[] = [
  'slow',
  'unavailable',
  'tooMany',
  'htmlError',
  'errorArray',
  'diagnoses',
  'textError',
  'xmlError',
  'emptyError',
  'drop',
  'dropAfterWrite',
  'hang',
  'hangAfterWrite',
  'lateWrite',
  'truncate',
  'shortPages',
  'totals',
  'foreignHost',
  'noNext',
  'disabledKind',
  'missingProperty',
  'poison',
  'forbidden',
  'refused',
  'expired',
  'mfa',
  'redirect',
  'lostRows',
  'hiddenRows',
  'wrongOrder',
]

/** The faults that strike one request. */
export type Strikes = { get<Kind extends FaultKind>(kind: Kind): Of<Kind> | undefined }

export type Incoming = { method: string; contract: string; kind: string; url: string }

/** They pass over requests that change nothing, without counting them. */
const writeFaults = new Set<FaultKind>(['dropAfterWrite', 'hangAfterWrite', 'lateWrite'])

type Kept = { id: string; fault: Fault; passed: number; left: number }

export const matches = ({ method, contract, kind, contains }: Match, call: Incoming): boolean =>
  (method === undefined || method.toUpperCase() === call.method) &&
  (contract === undefined || contract.toLowerCase() === call.contract.toLowerCase()) &&
  (kind === undefined || kind.toLowerCase() === call.kind.toLowerCase()) &&
  (contains === undefined || call.url.toLowerCase().includes(contains.toLowerCase()))

export const makeFaults = () => {
  let kept: Kept[] = []
  let made = 0
  return {
    add(fault: Fault): string {
      if (!faultKinds.includes(fault.kind)) throw new Error(`There is no fault ${fault.kind as string}`)
      const id = `fault${++made}`
      kept.push({ id, fault, passed: 0, left: fault.times ?? Number.POSITIVE_INFINITY })
      return id
    },
    clear(id?: string): void {
      kept = id === undefined ? [] : kept.filter((item) => item.id !== id)
    },
    list: () =>
      kept.map(({ id, fault, passed, left }) => ({ id, ...fault, passed, left: Number.isFinite(left) ? left : null })),
    renames: (): Of<'missingProperty'>[] =>
      kept.flatMap(({ fault }) => (fault.kind === 'missingProperty' ? [fault] : [])),
    strike(call: Incoming & { change: boolean }): Strikes {
      const struck: Fault[] = []
      for (const item of kept) {
        if (item.left <= 0 || !matches(item.fault.match ?? {}, call)) continue
        if (writeFaults.has(item.fault.kind) && !call.change) continue
        if (item.passed < (item.fault.after ?? 0)) {
          item.passed++
          continue
        }
        item.left--
        struck.push(item.fault)
      }
      kept = kept.filter((item) => item.left > 0)
      return {
        get: <Kind extends FaultKind>(kind: Kind) => struck.find((fault): fault is Of<Kind> => fault.kind === kind),
      }
    },
  }
}

export type Faults = ReturnType<typeof makeFaults>

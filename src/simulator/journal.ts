/** One SData request as it is remembered. `body` only of writes. */
export type Line = {
  at: string
  method: string
  path: string
  query: string[]
  /** 0: never answered */
  status: number
  ms: number
  user: string | null
  userAgent: string | null
  body?: string
  /** header of a write */
  ifMatch?: string
  /** items of a batch that was worked on: one request, so many writes */
  items?: number
  /** names a property that no client may read */
  secret?: true
}

export type Gauges = {
  requests: number
  inFlight: number
  maxInFlight: number
  sessions: number
  writes: number
  /** items of batches that were worked on */
  items: number
  byStatus: Record<string, number>
  /** requests that named WebPassword, WebUserName or WebPasswordHint */
  secretReads: number
  /** replies to reads without `select` that carried them */
  secretReplies: number
  rows: number
  bytes: number
}

const size = 2000

const emptyGauges = (): Gauges => ({
  requests: 0,
  inFlight: 0,
  maxInFlight: 0,
  sessions: 0,
  writes: 0,
  items: 0,
  byStatus: {},
  secretReads: 0,
  secretReplies: 0,
  rows: 0,
  bytes: 0,
})

export const makeJournal = () => {
  let lines: Line[] = []
  const gauges = emptyGauges()
  return {
    gauges,
    enter(): void {
      gauges.requests++
      gauges.inFlight++
      gauges.maxInFlight = Math.max(gauges.maxInFlight, gauges.inFlight)
    },
    leave(): void {
      gauges.inFlight--
    },
    note(line: Line, bytes: number): void {
      gauges.byStatus[line.status] = (gauges.byStatus[line.status] ?? 0) + 1
      gauges.bytes += bytes
      if (line.body !== undefined) gauges.writes++
      gauges.items += line.items ?? 0
      if (line.secret) gauges.secretReads++
      lines.push(line)
      if (lines.length >= size * 2) lines = lines.slice(-size)
    },
    lines: (): Line[] => lines.slice(-size),
    /** Counts start again; what is under way stays counted. */
    reset(): void {
      const { inFlight } = gauges
      Object.assign(gauges, emptyGauges(), { inFlight, maxInFlight: inFlight })
      lines = []
    },
  }
}

export type Journal = ReturnType<typeof makeJournal>

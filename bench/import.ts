import { startCrm, credentials, type SimulatedCrm } from './crm.ts'
import { clearRecords, openCustomer, type Customer } from './fairlead.ts'
import { chosenFields, fixedFields } from './fields.ts'
import { interleave, median } from './measure.ts'
import { clearPlain, openPlainDatabase, runPlain } from './plain.ts'
import { cpuSeconds } from './processes.ts'
import { startWorker, type Stage } from './stage.ts'
import { sizeOf, thousands, type Line } from './table.ts'

const lanes = 4
const mustReach = 0.8

type Sample = { readMs: number; wholeMs: number; cpu: { own: number; postgres: number; crm: number } }

const withCpu = async (
  stage: Stage,
  crm: SimulatedCrm,
  pid: number,
  work: (read: () => void) => Promise<{ readMs: number; wholeMs: number }>,
): Promise<Sample> => {
  const used = () => [cpuSeconds(pid), cpuSeconds(stage.postgresPid, true), cpuSeconds(crm.pid)] as const
  const before = used()
  let after = before
  const times = await work(() => (after = used()))
  return {
    ...times,
    cpu: { own: after[0] - before[0], postgres: after[1] - before[1], crm: after[2] - before[2] },
  }
}

const describe = (name: string, samples: Sample[], rows: number): string => {
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick))
  const per = (seconds: number): string => ((seconds / rows) * 100_000).toFixed(1)
  const cpu = `own ${per(of((s) => s.cpu.own))}, Postgres ${per(of((s) => s.cpu.postgres))}, CRM ${per(of((s) => s.cpu.crm))}`
  const times = samples.map((s) => `${(s.readMs / 1000).toFixed(1)}/${(s.wholeMs / 1000).toFixed(1)}`).join(' ')
  return `  ${name}: read/whole s ${times}; CPU s per 100 thousand read: ${cpu}`
}

const measure = async (stage: Stage, crm: SimulatedCrm, customer: Customer, workerPid: number, latency: number) => {
  const sql = await openPlainDatabase(stage.databaseUrl)
  const plain = (prefetch: boolean) => async () => {
    await clearPlain(sql)
    const fields = [...fixedFields, ...chosenFields]
    return withCpu(stage, crm, process.pid, async (read) => {
      const began = performance.now()
      const { url, pageSize } = crm
      const stored = await runPlain(sql, {
        url,
        ...credentials,
        fields,
        pageSize,
        lanes,
        prefetch,
        signal: stage.signal,
      })
      const ms = performance.now() - began
      read()
      if (stored !== crm.leads) throw new Error(`the plain loop stored ${stored} of ${crm.leads} leads`)
      return { readMs: ms, wholeMs: ms }
    })
  }
  const fairlead = async () => {
    await clearRecords(stage)
    return withCpu(stage, crm, workerPid, (read) => customer.importLeads({ read }))
  }
  try {
    await crm.setLatency(latency)
    return await interleave({ plain: plain(false), prefetching: plain(true), fairlead }, stage.options.repeats)
  } finally {
    await sql.end()
  }
}

/** Import of all leads against the plain loops, at each page size and latency. */
export const benchImport = async (stage: Stage): Promise<Line[]> => {
  const { leads, latencies, pages } = stage.options
  const lines: Line[] = []
  for (const pageSize of pages) {
    const worker = await startWorker(stage)
    const crm = await startCrm(stage, { leads, pageSize })
    const customer = await openCustomer(stage, crm)
    for (const latency of latencies) {
      stage.say(`import of ${sizeOf(leads)}, pages of ${pageSize}, latency ${latency} ms`)
      const results = await measure(stage, crm, customer, worker.pid, latency)
      for (const [name, samples] of Object.entries(results)) stage.say(describe(name, samples, leads))
      const without = median(results.plain.map((s) => s.wholeMs))
      const withPrefetch = median(results.prefetching.map((s) => s.wholeMs))
      const best = Math.min(without, withPrefetch)
      const line = (what: string, ms: number, must: number | null): Line => ({
        work: `import of ${sizeOf(leads)} leads, CRM latency ${latency} ms, pages of ${pageSize}, 4 at once: ${what}`,
        must: must === null ? '–' : `≥ ${must} × best plain loop`,
        measured: `${(best / ms).toFixed(2)} (${(without / ms).toFixed(2)} of the loop without prefetch, ${(withPrefetch / ms).toFixed(2)} of the one with; ${thousands((leads / ms) * 1000)} records/s)`,
        met: must === null ? null : best / ms >= must,
      })
      lines.push(
        line('reading and storing', median(results.fairlead.map((s) => s.readMs)), mustReach),
        line(
          'whole run, with the comparison of all keys, which the plain loop does not do',
          median(results.fairlead.map((s) => s.wholeMs)),
          null,
        ),
      )
    }
    await worker.stop()
    await crm.stop()
  }
  return lines
}

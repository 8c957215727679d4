import { watchApi, type ApiWatch } from './api.ts'
import { startCrm } from './crm.ts'
import { clearRecords, openCustomer, type Imported } from './fairlead.ts'
import { median } from './measure.ts'
import { watchMemory, type Memory } from './processes.ts'
import { startWorker, type Stage } from './stage.ts'
import { sizeOf, thousands, type Line } from './table.ts'

const pageSize = 1000
const mostTimes = 12
const mostMib = 400
const mostEvents = 1

const describeTimes = (small: Imported[], big: Imported, tenth: number, leads: number): Line => {
  const smallMs = median(small.map((each) => each.wholeMs))
  const rate = thousands((leads / big.readMs) * 1000)
  return {
    work: `import of ${sizeOf(leads)} against ${sizeOf(tenth)}, whole runs`,
    must: `≤ ${mostTimes} × the time`,
    measured: `${(big.wholeMs / smallMs).toFixed(1)} × (${(smallMs / 1000).toFixed(1)} s → ${(big.wholeMs / 1000).toFixed(1)} s, of which ${((big.wholeMs - big.readMs) / 1000).toFixed(1)} s compare all keys; ${rate} records/s while reading)`,
    met: big.wholeMs / smallMs <= mostTimes,
  }
}

const describeMemory = ({ samples, peakMib }: Memory, leads: number): Line => {
  const part = (from: number, to: number): number =>
    Math.round(
      median(samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to)).map(({ mib }) => mib)),
    )
  return {
    work: `worker's resident memory, import of ${sizeOf(leads)}`,
    must: `flat, ≤ ${mostMib} MiB`,
    measured: `peak ${Math.round(peakMib)} MiB; ${part(0.15, 0.35)} MiB in the second quarter, ${part(0.75, 1)} MiB in the last`,
    met: peakMib <= mostMib,
  }
}

const describeHistory = ({ historyEvents, rows }: Imported): Line => {
  const perThousand = (historyEvents / rows) * 1000
  return {
    work: `history of the import of ${sizeOf(rows)}`,
    must: `≤ ${mostEvents} event per 1,000 records`,
    measured: `${perThousand.toFixed(2)} (${historyEvents} events)`,
    met: perThousand <= mostEvents,
  }
}

/** The large import against one of a tenth of its size, with API reads meanwhile; one worker for all of it. */
export const benchLarge = async (stage: Stage): Promise<Line[]> => {
  const { large, only } = stage.options
  const tenth = Math.ceil(large / 10)
  const withMillion = only.includes('million')
  const withApi = only.includes('api')
  const worker = await startWorker(stage)
  const importAll = async (
    leads: number,
    listen?: (target: { accountId: string; runId: string; listId: string }) => void,
  ) => {
    const crm = await startCrm(stage, { leads, pageSize })
    const customer = await openCustomer(stage, crm)
    await clearRecords(stage)
    const result = await customer.importLeads({ asked: (run) => listen?.({ accountId: customer.accountId, ...run }) })
    stage.say(
      `  ${sizeOf(leads)}: read ${(result.readMs / 1000).toFixed(1)} s, whole ${(result.wholeMs / 1000).toFixed(1)} s`,
    )
    await crm.stop()
    return result
  }
  stage.say(`import of ${sizeOf(large)}${withApi ? ', with API reads meanwhile' : ''}`)
  const small: Imported[] = []
  // The first import warms the worker up; the two that count lie before and after the large one.
  if (withMillion) for (let time = 0; time < 2; time += 1) small[0] = await importAll(tenth)
  const memory = watchMemory(worker.pid)
  let watching: Promise<ApiWatch> | undefined
  const big = await importAll(large, (target) => {
    if (withApi) watching = watchApi(stage, target, `the import of ${sizeOf(large)}`)
    watching?.catch(() => undefined)
  })
  memory.stop()
  const watch = await watching
  const lines = [...((await watch?.stop()) ?? []), ...((await watch?.search(large)) ?? [])]
  if (withMillion) {
    small.push(await importAll(tenth))
    lines.unshift(describeTimes(small, big, tenth, large), describeMemory(memory, large), describeHistory(big))
  }
  await worker.stop()
  return lines
}

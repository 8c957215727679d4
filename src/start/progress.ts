import { MultiBar, type SingleBar } from 'cli-progress'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from './api.ts'
import { getRun, isOver, type Run } from './run.ts'
import { say } from './say.ts'

const everyMs = 250
const lineEveryMs = 5000
const number = new Intl.NumberFormat('en')

type Show = { update: (runs: Run[]) => void; end: () => void }

const timeLeft = ({ state, progress: { secondsLeft } }: Run) =>
  state === 'running' && secondsLeft !== null ? `${secondsLeft} s left` : state

/** A bar for each run. */
const bars = (): Show => {
  const format = '  {name}  {bar}  {done} of {whole}  {perSecond}/s  {left}'
  const all = new MultiBar({
    format,
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: false,
    linewrap: false,
  })
  const byRun = new Map<string, SingleBar>()
  const update = (runs: Run[]) => {
    const width = Math.max(...runs.map(({ list }) => list?.name.length ?? 0))
    for (const run of runs) {
      const { done, total, perSecond } = run.progress
      const bar = byRun.get(run.id) ?? all.create(1, 0)
      byRun.set(run.id, bar)
      bar.setTotal(Math.max(total, done, 1))
      bar.update(isOver(run) && done === total ? Math.max(total, 1) : done, {
        name: (run.list?.name ?? run.id).padEnd(width),
        done: number.format(done),
        whole: number.format(total),
        perSecond: number.format(perSecond),
        left: timeLeft(run),
      })
    }
  }
  return { update, end: () => all.stop() }
}

/** For logs and pipes: a line now and then. */
const lines = (): Show => {
  const last = new Map<string, { state: string; at: number }>()
  const update = (runs: Run[]) => {
    for (const run of runs) {
      const { state, at } = last.get(run.id) ?? { state: '', at: 0 }
      if (state === run.state && (isOver(run) || Date.now() - at < lineEveryMs)) continue
      last.set(run.id, { state: run.state, at: Date.now() })
      const { done, total, perSecond } = run.progress
      const pace = `${number.format(done)} of ${number.format(total)}, ${number.format(perSecond)}/s`
      say(`  ${run.list?.name ?? run.id}: ${pace}, ${timeLeft(run)}`)
    }
  }
  return { update, end: () => undefined }
}

/** Follows runs to their ends and shows how far they are. The API may be away for a while. */
export const follow = async (api: Api, runIds: string[], signal: AbortSignal): Promise<Run[]> => {
  const show = process.stdout.isTTY ? bars() : lines()
  try {
    for (;;) {
      const runs = await Promise.all(runIds.map((id) => getRun(api, id))).catch((error: Error) => {
        if (error.name === 'TypeError') return []
        throw error
      })
      if (runs.length > 0) show.update(runs)
      if (runs.length > 0 && runs.every(isOver)) return runs
      await sleep(everyMs, undefined, { signal })
    }
  } finally {
    show.end()
  }
}

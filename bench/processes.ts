import { readdirSync, readFileSync } from 'node:fs'

const ticksPerSecond = 100

const statOf = (pid: number): { parent: number; own: number; ofEnded: number } | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15)
    return { parent: fields[1] ?? 0, own: user + system, ofEnded: endedUser + endedSystem }
  } catch {
    return undefined
  }
}

/** Seconds of processor time that a process and, where `tree` says so, its children have used; NaN where there is no /proc. */
export const cpuSeconds = (pid: number, tree = false): number => {
  const stat = statOf(pid)
  if (stat === undefined) return Number.NaN
  const ticks = tree
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => statOf(Number(name)))
        .reduce((sum, each) => sum + (each?.parent === pid ? each.own : 0), stat.own + stat.ofEnded)
    : stat.own
  return ticks / ticksPerSecond
}

const kibOf = (pid: number, line: 'VmRSS' | 'VmHWM'): number => {
  try {
    return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return Number.NaN
  }
}

export type Memory = { peakMib: number; samples: { atMs: number; mib: number }[]; stop: () => void }

/** Samples a process's resident memory until `stop`. The peak is the kernel's own, so nothing falls between two samples. */
export const watchMemory = (pid: number, everyMs = 250): Memory => {
  const began = Date.now()
  const memory: Memory = { peakMib: 0, samples: [], stop: () => clearInterval(timer) }
  const sample = (): void => {
    memory.peakMib = kibOf(pid, 'VmHWM') / 1024
    memory.samples.push({ atMs: Date.now() - began, mib: kibOf(pid, 'VmRSS') / 1024 })
  }
  const timer = setInterval(sample, everyMs)
  sample()
  return memory
}

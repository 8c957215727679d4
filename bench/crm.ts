import { freePort } from '../src/embedded/port.ts'
import type { Child } from './child.ts'
import type { Stage } from './stage.ts'

export const credentials = { username: 'admin', password: 'secret' }

export type SimulatedCrm = Child & {
  /** the bare product address */
  url: string
  leads: number
  /** rows of a page at most */
  pageSize: number
  setLatency: (ms: number) => Promise<void>
}

/** The simulator in a process of its own. */
export const startCrm = async (
  stage: Stage,
  { leads, pageSize }: { leads: number; pageSize: number },
): Promise<SimulatedCrm> => {
  const port = await freePort()
  const args = ['--port', port, '--leads', leads, '--contacts', 1, '--max-page', pageSize].map(String)
  const child = stage.start('simulator', 'src/simulator/main.ts', { args })
  await child.untilSays('ready')
  const url = `http://127.0.0.1:${port}`
  return {
    ...child,
    url,
    leads,
    pageSize,
    async setLatency(latencyMs) {
      const body = JSON.stringify({ latencyMs })
      const headers = { 'content-type': 'application/json' }
      const reply = await fetch(`${url}/_simulator/settings`, { method: 'POST', body, headers })
      if (!reply.ok) throw new Error(`the simulator answers ${reply.status}`)
    },
  }
}

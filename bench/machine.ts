import { arch, cpus, platform, totalmem } from 'node:os'
import type { Stage } from './stage.ts'

/** One line: what the figures were measured on. */
export const describeMachine = async ({ wiring }: Stage): Promise<string> => {
  const [server] = await wiring.db.$client<[{ version: string }]>`select current_setting('server_version') as version`
  const gib = Math.round(totalmem() / 2 ** 30)
  return `Measured with everything (CRM simulator, Postgres, Temporal, worker) on one machine: ${cpus().length} cores, ${gib} GiB, ${platform()} ${arch()}, Node ${process.versions.node}, Postgres ${server.version}, fsync on.`
}

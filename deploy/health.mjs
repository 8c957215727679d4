// Health check of the image: `node deploy/health.mjs api` asks whether the API is alive, `node deploy/health.mjs worker` whether the worker
// still polls for workflow tasks. A worker that lost its namespace can live on without polling, and only its metrics show it.
import { env } from 'node:process'

const { PORT = '8080', METRICS_PORT = '9464' } = env

const get = async (address) => {
  const reply = await fetch(`http://127.0.0.1:${address}`, { signal: AbortSignal.timeout(4000) })
  if (!reply.ok) throw new Error(`${address} answers ${reply.status}`)
  return reply.text()
}

const checks = {
  api: () => get(`${PORT}/healthz`),
  worker: async () => {
    const metrics = await get(`${METRICS_PORT}/metrics`)
    const pollers = /^temporal_num_pollers\{[^}]*poller_type="workflow_task"[^}]*\} (\d+)/m.exec(metrics)?.[1] ?? '0'
    if (pollers === '0') throw new Error('the worker does not poll for workflow tasks')
  },
}

const check = checks[process.argv[2]]
if (check === undefined) throw new Error('Say api or worker.')
await check().catch((error) => {
  process.stdout.write(`${error.message}\n`)
  process.exitCode = 1
})

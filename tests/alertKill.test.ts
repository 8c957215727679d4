import { expect, test } from 'vitest'
import * as deliveries from '../src/db/alert/delivery.ts'
import { operator } from '../src/db/audit.ts'
import * as webhooks from '../src/db/webhook.ts'
import { openFairlead, until } from './support/fairlead.ts'
import { openReceiver } from './support/receiver.ts'
import { startWorker } from './support/worker.ts'

test('a delivery goes on when the worker is killed between two attempts: one id, one effective delivery', async () => {
  const environment = { ALERT_RETRY_SECONDS: '3,3,3' }
  const fairlead = await openFairlead({ leads: 0, contacts: 0, worker: false, environment })
  const { db, accountId, wiring } = fairlead
  const receiver = await openReceiver(500, 204)
  const { webhook } = await webhooks.insert(db, wiring.secrets, accountId, { url: receiver.url, events: [] }, operator)
  const [first, second] = await Promise.all([startWorker(fairlead), startWorker(fairlead)])
  const { id } = await deliveries.test(db, accountId, webhook.id)
  const log = async () => (await deliveries.page(db, accountId, webhook.id, { limit: 1 }))[0]!
  await until('the first attempt has failed', async () => (await log()).attempts.length === 1)
  const has = (worker: typeof first) => worker.output().includes(id)
  await until('it is said who has tried', async () => has(first) || has(second))
  await (has(first) ? first : second).kill()
  // else the engine waits ten seconds for the one that is gone
  const { client } = wiring.flows
  const execution = { workflowId: `alert:${id}` }
  await client.workflowService.resetStickyTaskQueue({ namespace: client.options.namespace, execution })
  await until('it has arrived', async () => (await log()).state === 'delivered')
  expect((await log()).attempts.map(({ status }) => status)).toEqual([500, 204])
  expect(receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual([id, id])
  await receiver.close()
  await fairlead.close()
}, 60_000)

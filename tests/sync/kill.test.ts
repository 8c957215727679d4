import { onTestFinished, test } from 'vitest'
import { openFairlead } from '../support/fairlead.ts'
import { survivePushKills } from '../support/kills.ts'

test('R7: a worker killed between create and store, leaves one lead for each new person', async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '1000' }
  const fairlead = await openFairlead({ worker: false, leads: 40, contacts: 5, environment })
  onTestFinished(fairlead.close)
  await survivePushKills(fairlead, 120, 1, 80)
}, 120_000)

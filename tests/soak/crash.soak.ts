import { test } from 'vitest'
import { openFairlead } from '../support/fairlead.ts'
import { surviveKills } from '../support/kills.ts'
import { surviveOutage } from '../support/outage.ts'

test('200 thousand leads survive three SIGKILLs of the worker at random moments, record by record', async () => {
  const fairlead = await openFairlead({ worker: false, leads: 200_000, contacts: 1, maxPage: 500, latencyMs: 20 })
  try {
    await surviveKills(fairlead, 200_000, 3)
  } finally {
    await fairlead.close()
  }
})

test('200 thousand leads survive SIGKILL of everything at once', async () => {
  await surviveOutage(200_000, 20)
})

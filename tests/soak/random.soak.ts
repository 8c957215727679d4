import { test } from 'vitest'
import { openRandom } from '../support/random.ts'

const minute = 60_000

for (const leadHistory of [false, true]) {
  const how = leadHistory ? 'names what leads became' : 'keeps to itself what leads became'
  test(`whatever happens to hundreds of lists, they end in step with a CRM that ${how}`, async () => {
    const random = await openRandom({ leadHistory })
    try {
      await random.holds({ cases: 400, mostSteps: 8, limitMs: 5 * minute })
    } finally {
      await random.close()
    }
  })
}

test('S8: whatever both sides have done, a preview writes nothing, and what it shows is what a sync and its application do', async () => {
  const random = await openRandom()
  try {
    await random.holds({ cases: 400, mostSteps: 4, limitMs: 5 * minute, previews: true })
  } finally {
    await random.close()
  }
})

import { expect, onTestFinished, test } from 'vitest'
import { surviveUploadKills } from './support/uploadKills.ts'
import { openUploads } from './support/upload.ts'

test('I5, R22: a worker killed twice in the middle of an upload doubles and loses no row', async () => {
  const uploads = await openUploads({ worker: false })
  onTestFinished(() => uploads.close())
  await surviveUploadKills(uploads, { rows: 40_000, kills: 2 })
  expect(await uploads.leftovers()).toBe(0)
}, 180_000)

import { viewDays } from '../domain/delivery.ts'
import { previewDays } from '../domain/preview.ts'
import { isFairleadError } from '../domain/errors.ts'
import { removeDone } from '../db/outbox.ts'
import { entryDays } from '../domain/run.ts'
import * as housekeeping from '../db/housekeeping.ts'
import { expireCreations } from '../db/sync/creation.ts'
import * as sweeps from '../db/sweep.ts'
import type { Dependencies } from './dependencies.ts'

const sweepEveryDays = 7
const removedListDays = 30
/** Longer than a client may pause while it sends a file. */
const idleUploadMinutes = 60

export const housekeepingActivities = (deps: Dependencies) => ({
  /** O6: entries and edits live 90 days, entries of a preview 7, records of a removed list 30 days, who looked at a preview a year, what was sent as long as its preview, addresses of a test that got lost a day, keys of idempotent requests and finished creations a day, delivered messages a week; files go with their run. */
  async expire(): Promise<{
    entries: number
    edits: number
    previews: number
    records: number
    contents: number
    views: number
    tests: number
    idempotency: number
    creations: number
    outbox: number
    uploads: number
  }> {
    return {
      entries: await housekeeping.removeEntries(deps.db, entryDays),
      edits: await housekeeping.removeEdits(deps.db, entryDays),
      previews: await housekeeping.removePreviews(deps.db, previewDays),
      records: await housekeeping.removeRecords(deps.db, removedListDays),
      contents: await housekeeping.removeContents(deps.db),
      views: await housekeeping.removeViews(deps.db, viewDays),
      tests: await housekeeping.endTests(deps.db, 1),
      idempotency: await housekeeping.removeIdempotency(deps.db, 1),
      creations: await expireCreations(deps.db),
      outbox: await removeDone(deps.db, 7),
      uploads: await housekeeping.removeUploads(deps.db, idleUploadMinutes),
    }
  },

  /** R15: imported lists are swept every week, through the same door as by hand. */
  async startDueSweeps(): Promise<{ started: number }> {
    const due = await sweeps.pageDue(deps.db, sweepEveryDays)
    let started = 0
    for (const { accountId, listId } of due) {
      try {
        await sweeps.request(deps.db, accountId, listId, { trigger: 'system' })
        started += 1
      } catch (error) {
        // one account's list that cannot be swept now is no reason to leave the others out
        if (!isFairleadError(error)) throw error
        deps.log.warn({ accountId, listId, code: error.code }, 'a due sweep could not be started')
      }
    }
    await deps.deliverOutbox()
    return { started }
  },
})

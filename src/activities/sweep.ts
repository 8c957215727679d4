import { FairleadError } from '../domain/errors.ts'
import { needsConfirmation } from '../domain/sweep.ts'
import { hashKeyOf } from '../db/emailKey.ts'
import { loadErased } from '../db/erasure/known.ts'
import * as importPlan from '../db/import/plan.ts'
import * as lanes from '../db/lane.ts'
import * as runs from '../db/run/state.ts'
import { compare, storeKeys } from '../db/sweep/compare.ts'
import { sweptByUser } from '../db/sweep/list.ts'
import { settleExtra, settleMissing, settleReturned, settleUnwanted, type Answer } from '../db/sweep/settle.ts'
import { storePull } from '../db/sync/pull.ts'
import type { CrmEntity, CrmField, Crm } from '../domain/crm.ts'
import { Context } from '@temporalio/activity'
import { beat } from './beat.ts'
import { withCrm } from './crm.ts'
import { survey } from './import.ts'
import type { Dependencies, RunInput } from './dependencies.ts'
import { readSegment, type SegmentResult } from './segment.ts'
import { runErrorOf, working } from './run.ts'
import { planNow } from './sync/begin.ts'
import { judgeFates } from './sync/gone.ts'

/** Differences are settled so many at a time, asked for so many at once. */
const batch = 20_000
const askAtOnce = 500

type Question = { crm: Crm; entity: CrmEntity; signal: AbortSignal }

/** Whether people are there, by their keys alone: no field can hide them. */
const askKeys = async ({ crm, entity, signal }: Question, ids: string[]): Promise<Answer> => {
  const { rows, unreadable, warnings } = await crm.peopleById(entity, [], ids, { signal })
  return { asked: ids, found: rows, unreadable, warnings }
}

/**
 * People with their fields. Whoever does not come is asked for by key before being taken to be gone: a server that leaves out people whose
 * related data are missing must not make them disappear.
 */
const askPeople = async (question: Question, fields: CrmField[], ids: string[]): Promise<Answer> => {
  const { crm, entity, signal } = question
  const { rows, unreadable, warnings } = await crm.peopleById(entity, fields, ids, { signal })
  const came = new Set([...rows, ...unreadable].map(({ id }) => id))
  const absent = ids.filter((id) => !came.has(id))
  if (absent.length === 0) return { asked: ids, found: rows, unreadable, warnings }
  const { found: hidden, unreadable: broken } = await askKeys(question, absent)
  return {
    asked: ids,
    found: rows,
    warnings,
    unreadable: [...unreadable, ...broken, ...hidden.map(({ id }) => ({ id, crm: {} }))],
  }
}

const chunks = (ids: string[]): string[][] =>
  Array.from({ length: Math.ceil(ids.length / askAtOnce) }, (_, index) =>
    ids.slice(index * askAtOnce, (index + 1) * askAtOnce),
  )

export const sweepActivities = (deps: Dependencies) => ({
  /** Plans the key sweep: the lanes of the import, or new ones for a sweep of its own. */
  beginSweep: ({ accountId, runId }: RunInput): Promise<{ lanes: number[] }> =>
    working(deps, { accountId, runId }, async (run) => {
      await runs.enter(deps.db, runId, 'compare')
      const planned = await lanes.all(deps.db, runId, 'sweep')
      if (planned.length > 0) return { lanes: planned.map(({ lane }) => lane) }
      const read = await lanes.all(deps.db, runId, 'pull')
      const plan =
        read.length > 0
          ? { ranges: read.map(({ afterKey, upToKey }) => ({ after: afterKey, upTo: upToKey })) }
          : await withCrm(deps, accountId, run.connectionId!, (crm, connection) => survey(deps, run, crm, connection))
      return { lanes: await lanes.plan(deps.db, { accountId, runId, phase: 'sweep' }, plan) }
    }),

  sweepSegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<SegmentResult> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm) => {
        const lane = await lanes.claim(deps.db, accountId, runId, 'sweep', number)
        const key = { runId, phase: 'sweep' as const, lane: number, attempt: lane.attempt }
        const hashKey = await hashKeyOf(deps.db, deps.secrets, accountId)
        const erased = await loadErased(deps.db, accountId)
        const target = { accountId, listId: run.listId!, entity: run.entity!, hashKey, erased }
        return readSegment({
          lane,
          fetch: (range, signal) => crm.keys(run.entity!, range, { signal }),
          store: (page, count) => storeKeys(deps.db, target, key, page, count),
        })
      }),
    ),

  /**
   * Compares the ids themselves and settles what differs, id by id (docs/rules.md): so many at a time. Answers how many differences are
   * left, and whether they are more of the same round. Throws massDeletion instead of marking when too many are gone (R15).
   */
  settleDifferences: ({ accountId, runId }: RunInput): Promise<{ left: number; more: boolean }> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm, connection) => {
        const question = { crm, entity: run.entity!, signal: Context.current().cancellationSignal }
        const { target: known, fields } = await importPlan.targetOf(deps.db, deps.secrets, run)
        const mark = run.mark?.toISOString() ?? null
        const lane = await lanes.claim(deps.db, accountId, runId, 'sweep', 0)
        const key = { runId, phase: 'sweep' as const, lane: 0, attempt: lane.attempt }
        const erased = await loadErased(deps.db, accountId)
        const target = { ...known, erased }
        await settleReturned(deps.db, key, target)
        const found = await compare(deps.db, runId, target, batch)
        if (found.missingTotal + found.extraTotal === 0) return { left: 0, more: false }
        const plan = { ...(await planNow(deps, crm, run)), erased }
        const { pull } = plan.sync
        const add = async (missing: string[]): Promise<void> => {
          for (const [index, ids] of chunks(missing).entries()) {
            beat({ missing: index * askAtOnce })
            if (!pull.enabled || !pull.addNew) await settleUnwanted(deps.db, key, target, ids)
            else await settleMissing(deps.db, key, target, mark, await askPeople(question, fields, ids))
          }
        }
        const sweptBy = (await sweptByUser(deps.db, accountId, run.listId!)) ?? run.crmUserId
        const otherUser = sweptBy !== null && sweptBy !== connection.crmUserId
        const { extraTotal: gone, live: of } = found
        if (needsConfirmation({ gone, live: of, otherUser, confirmed: run.settings.confirmDeletions ?? 0 })) {
          const detail = `${gone} of ${of} records are gone from the CRM${otherUser ? ', as its new user sees it' : ''}; none was marked.`
          const error = new FairleadError('massDeletion', { detail })
          await runs.noteWaiting(deps.db, runId, { ...runErrorOf(error, null), gone, of })
          await add(found.missing)
          throw error
        }
        for (const [index, ids] of chunks(found.extra).entries()) {
          beat({ gone: index * askAtOnce })
          const answer = await askKeys(question, ids)
          const there = new Set([...answer.found, ...answer.unreadable].map(({ id }) => id))
          const absent = ids.filter((id) => !there.has(id))
          const options = { signal: question.signal }
          const fates = await judgeFates({ deps, crm, plan, runId, options }, run.entity!, absent)
          const gone = fates.filter(({ fate }) => fate.kind !== 'deleted')
          const followed = new Set(gone.map(({ id }) => id))
          await settleExtra(deps.db, key, target, { ...answer, asked: ids.filter((id) => !followed.has(id)) })
          if (gone.length === 0) continue
          const none = { rows: [], unreadable: [], warnings: [], next: null }
          await storePull(deps.db, plan, key, crm.skewMs() ?? 0, { ...none, entity: run.entity!, gone })
        }
        // after those who were followed: whoever took them over is missing no more
        await add(found.extra.length === 0 ? found.missing : (await compare(deps.db, runId, target, batch)).missing)
        const after = await compare(deps.db, runId, target, 0)
        return {
          left: after.missingTotal + after.extraTotal,
          more: found.missingTotal > found.missing.length || found.extraTotal > found.extra.length,
        }
      }),
    ),
})

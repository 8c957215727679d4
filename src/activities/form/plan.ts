import * as accounts from '../../db/account.ts'
import * as lists from '../../db/list.ts'
import type { Claimed } from '../../db/submission/claim.ts'
import { planOf, type SyncPlan } from '../../db/sync/plan.ts'
import * as settings from '../../db/sync/settings.ts'
import { refuseOtherCrm } from '../../db/sync/request.ts'
import { isFairleadError } from '../../domain/errors.ts'
import { entityOf } from '../../domain/list.ts'
import type { RunSync } from '../../domain/sync.ts'
import type { Dependencies } from '../dependencies.ts'

/** Settings and fields of the CRM are looked at again after so long. */
const freshMs = 2000

type Of = { accountId: string; connectionId: string }

/** Or why nothing of the list can go to this CRM. */
type Refused = { refused: 'listRemoved' | 'listOfOtherCrm' }

/** P1: what a submission links belongs to this CRM from now on; what belongs to another one is left to it (C3). */
const refusal = async ({ db }: Dependencies, list: lists.List, connectionId: string): Promise<Refused | undefined> => {
  if (list.removedAt !== null) return { refused: 'listRemoved' }
  try {
    await refuseOtherCrm(db, list, connectionId)
  } catch (error) {
    if (isFairleadError(error)) return { refused: 'listOfOtherCrm' }
    throw error
  }
  if (entityOf(list.kind) === null) await lists.bindTo(db, list.id, connectionId)
  return undefined
}

/** How submissions of one version of a form are pushed: as the list maps its columns, with the policy and the defaults of the version. */
const read = async (deps: Dependencies, { accountId, connectionId }: Of, one: Claimed): Promise<SyncPlan | Refused> => {
  const { db, secrets } = deps
  const { conflict, unmappedAddress } = await accounts.get(db, accountId)
  const { listId } = one
  const list = await lists.getEver(db, accountId, listId)
  const refused = await refusal(deps, list, connectionId)
  if (refused !== undefined) return refused
  const { pull } = await settings.get(db, accountId, listId)
  const push: RunSync['push'] = {
    enabled: true,
    addNew: true,
    updateExisting: true,
    fields: [],
    clearFields: [],
    newLeadDefaults: one.push.newLeadDefaults,
  }
  const entity = entityOf(list.kind)
  const sync: RunSync = { push, pull, conflict, ambiguousMatch: 'best', unmappedAddress, widenedAt: null }
  return planOf(db, secrets, {
    id: one.id,
    accountId,
    listId,
    connectionId,
    entity,
    segmentId: null,
    kind: 'sync',
    settings: { sync: entity === null ? { ...sync, pull: { ...pull, enabled: false } } : sync },
  })
}

/** Keeps what was read for a moment, by list and version. */
export const planner = (deps: Dependencies, of: Of) => {
  const known = new Map<string, { plan: Promise<SyncPlan | Refused>; until: number }>()
  return (one: Claimed): Promise<SyncPlan | Refused> => {
    const key = `${one.formId}:${one.pushVersion}`
    const found = known.get(key)
    if (found !== undefined && found.until > Date.now()) return found.plan
    const plan = read(deps, of, one)
    plan.catch(() => known.delete(key))
    known.set(key, { plan, until: Date.now() + freshMs })
    return plan
  }
}

import { Context } from '@temporalio/activity'
import { isSameCrm } from '../domain/connection.ts'
import type { Crm, CrmEntity, CrmField } from '../domain/crm.ts'
import { FairleadError, isFairleadError } from '../domain/errors.ts'
import { readField } from '../domain/field.ts'
import * as connections from '../db/connection.ts'
import { upsertPicklist } from '../db/form.ts'
import { candidateContext } from '../db/secret.ts'
import { beat } from './beat.ts'
import { checkNew, checkLogin, withCrm } from './crm.ts'
import type { Dependencies } from './dependencies.ts'

type Input = { accountId: string; connectionId: string }
type PicklistInput = Input & { entity: CrmEntity; field: string }
type Attempt = { accountId: string } & connections.CandidateKey

/** So many CRMs are asked at once, and no more begun after this long; the next hour begins with the rest. */
const healthAtOnce = 8
const healthMs = 15 * 60_000

const sampleSize = 200
const createDate = readField('CreateDate', 'instant')

/** C3: is this the CRM whose people our records are linked to? */
const isKnownCrm = async ({ db }: Dependencies, crm: Crm, { accountId, connectionId }: Input): Promise<boolean> => {
  const sample = await connections.sampleLinks(db, accountId, connectionId, sampleSize)
  let equal = 0
  for (const entity of ['lead', 'contact'] as const) {
    const known = new Map(sample.filter((each) => each.entity === entity).map((each) => [each.crmId!, each.createDate]))
    if (known.size === 0) continue
    const { rows } = await crm.peopleById(entity, [createDate], [...known.keys()], { priority: 'interactive' })
    equal += rows.filter((row) => known.get(row.id) === (row.values['CreateDate'] ?? null)).length
  }
  return isSameCrm(sample.length, equal)
}

/** Both entities' fields; one that the CRM does not offer is left out and can be read later. */
const fieldsOf = async (crm: Crm): Promise<Partial<Record<CrmEntity, CrmField[]>>> => {
  const fields: Partial<Record<CrmEntity, CrmField[]>> = {}
  for (const entity of ['lead', 'contact'] as const) {
    try {
      fields[entity] = await crm.fields(entity, { priority: 'interactive' })
    } catch (error) {
      if (!isFairleadError(error) || error.kind === 'held') throw error
    }
  }
  return fields
}

export const connectionActivities = (deps: Dependencies) => ({
  /**
   * C1, C2: tries the candidate with one login. Accepted, it becomes the connection with what was found there; refused, it is erased
   * and the connection stays as it was. Never throws for what the CRM answers: the candidate's state says it.
   */
  async checkCandidate({ accountId, connectionId, candidateId }: Attempt): Promise<{ state: 'accepted' | 'refused' }> {
    const candidate = await connections.findCandidate(deps.db, accountId, connectionId)
    const known = candidate?.id === candidateId ? candidate : undefined
    if (known === undefined || known.state !== 'checking' || known.secret === null) {
      return { state: known?.state === 'accepted' ? 'accepted' : 'refused' }
    }
    const connection = await connections.get(deps.db, accountId, connectionId)
    const password = deps.secrets.open(known.secret, candidateContext(connectionId))
    const credentials = { url: known.url, username: known.username, password }
    const crm = deps.crms.open(connection, credentials)
    try {
      const identity = await checkNew(deps, connectionId, (options) => crm.check(options))
      const moved = connection.url !== null && (connection.state === 'reset' || connection.url !== identity.url)
      const same = !moved || (await isKnownCrm(deps, crm, { accountId, connectionId }))
      if (!same && connection.state !== 'reset') throw new FairleadError('otherCrm')
      const fields = await fieldsOf(crm)
      const key = { connectionId, candidateId }
      const accepted = await connections.accept(deps.db, deps.secrets, accountId, key, {
        identity,
        username: known.username,
        password,
        fields,
        otherCrm: !same,
      })
      await deps.deliverOutbox()
      return { state: accepted ? 'accepted' : 'refused' }
    } catch (error) {
      if (!isFairleadError(error)) throw error
      await connections.refuse(deps.db, accountId, { connectionId, candidateId }, error)
      return { state: 'refused' }
    } finally {
      await crm.close()
    }
  },

  /** A check that failed on our side: the new credentials are erased all the same. */
  async dropCandidate({ accountId, connectionId, candidateId }: Attempt): Promise<{ state: 'refused' }> {
    await connections.refuse(deps.db, accountId, { connectionId, candidateId }, new FairleadError('internal'))
    return { state: 'refused' }
  },

  readFields: ({ accountId, connectionId, entity }: Input & { entity: CrmEntity }): Promise<{ fields: number }> =>
    withCrm(deps, accountId, connectionId, async (crm) => {
      const fields = await crm.fields(entity, { priority: 'interactive' })
      await connections.upsertFields(deps.db, accountId, connectionId, entity, fields)
      return { fields: fields.length }
    }),

  /** The choices that a form offers from the picklist of a field. */
  readPicklist: ({ accountId, connectionId, entity, field }: PicklistInput): Promise<{ items: number }> =>
    withCrm(deps, accountId, connectionId, async (crm) => {
      const known = await connections.findFields(deps.db, accountId, entity)
      const picklist = known?.fields.find(({ name }) => name === field)?.picklist ?? null
      const items = picklist === null ? [] : await crm.choices(picklist, { priority: 'interactive' })
      await upsertPicklist(deps.db, accountId, { connectionId, entity, field }, items)
      return { items: items.length }
    }),

  /**
   * C4: one login check of each connected CRM, the longest unchecked first; what needs a person is held, what passes by is only noted. CRMs that
   * do not answer keep nobody else from being checked.
   */
  async checkHealth(): Promise<{ checked: number; failing: number }> {
    const waiting = await connections.pageConnected(deps.db)
    const until = Date.now() + healthMs
    const seen = { checked: 0, failing: 0 }
    const checkNext = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && Date.now() < until; next = waiting.shift()) {
        const { accountId, connectionId } = next
        Context.current().cancellationSignal.throwIfAborted()
        try {
          await checkLogin(deps, accountId, connectionId)
          await connections.noteCheck(deps.db, accountId, connectionId, null)
        } catch (error) {
          if (!isFairleadError(error)) throw error
          seen.failing += 1
          await connections.noteCheck(deps.db, accountId, connectionId, connections.problemOf(error))
        }
        seen.checked += 1
        beat(seen)
      }
    }
    await Promise.all(Array.from({ length: healthAtOnce }, checkNext))
    return seen
  },
})

import { isSameCrm } from '../domain/connection.ts'
import type { Crm, CrmEntity, CrmField } from '../domain/crm.ts'
import { FairleadError, isFairleadError } from '../domain/errors.ts'
import * as connections from '../db/connection.ts'
import { candidateContext } from '../db/secret.ts'
import { checkConnected, withCrm } from './crm.ts'
import type { Dependencies } from './dependencies.ts'

type Input = { accountId: string; connectionId: string }

const sampleSize = 200
const createDate: CrmField = {
  name: 'CreateDate',
  label: 'CreateDate',
  type: 'instant',
  maxLength: null,
  custom: false,
  readOnly: true,
  required: false,
  locked: false,
  address: false,
  picklist: null,
  picklistStorage: null,
}

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
  async checkCandidate({ accountId, connectionId }: Input): Promise<{ state: 'accepted' | 'refused' }> {
    const candidate = await connections.findCandidate(deps.db, accountId, connectionId)
    if (candidate === undefined || candidate.state !== 'checking' || candidate.secret === null) {
      return { state: candidate?.state === 'accepted' ? 'accepted' : 'refused' }
    }
    const connection = await connections.get(deps.db, accountId, connectionId)
    const password = deps.secrets.open(candidate.secret, candidateContext(connectionId))
    const credentials = { url: candidate.url, username: candidate.username, password }
    const crm = deps.crms.open(connection, credentials)
    try {
      const identity = await crm.check({ priority: 'interactive' })
      const moved = connection.url !== null && (connection.state === 'reset' || connection.url !== identity.url)
      const known = !moved || (await isKnownCrm(deps, crm, { accountId, connectionId }))
      if (!known && connection.state !== 'reset') throw new FairleadError('otherCrm')
      const fields = await fieldsOf(crm)
      await connections.accept(deps.db, deps.secrets, accountId, connectionId, {
        identity,
        username: candidate.username,
        password,
        fields,
        otherCrm: !known,
      })
      await deps.deliverOutbox()
      return { state: 'accepted' }
    } catch (error) {
      if (!isFairleadError(error)) throw error
      await connections.refuse(deps.db, accountId, connectionId, error)
      return { state: 'refused' }
    } finally {
      await crm.close()
    }
  },

  /** A check that failed on our side: the new credentials are erased all the same. */
  async dropCandidate({ accountId, connectionId }: Input): Promise<{ state: 'refused' }> {
    await connections.refuse(deps.db, accountId, connectionId, new FairleadError('internal'))
    return { state: 'refused' }
  },

  readFields: ({ accountId, connectionId, entity }: Input & { entity: CrmEntity }): Promise<{ fields: number }> =>
    withCrm(deps, accountId, connectionId, async (crm) => {
      const fields = await crm.fields(entity, { priority: 'interactive' })
      await connections.upsertFields(deps.db, accountId, connectionId, entity, fields)
      return { fields: fields.length }
    }),

  /** C4: one login check of each connected CRM; what needs a person is held, what passes by is only noted. */
  async checkHealth(): Promise<{ checked: number; failing: number }> {
    const connected = await connections.pageConnected(deps.db)
    let failing = 0
    for (const { accountId, connectionId } of connected) {
      try {
        await checkConnected(deps, accountId, connectionId)
        await connections.noteCheck(deps.db, accountId, connectionId, null)
      } catch (error) {
        failing += 1
        await connections.noteCheck(deps.db, accountId, connectionId, connections.problemOf(error))
      }
    }
    return { checked: connected.length, failing }
  },
})

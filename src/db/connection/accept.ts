import { eq } from 'drizzle-orm'
import type { CrmEntity, CrmField, CrmIdentity } from '../../domain/crm.ts'
import * as alerts from '../alert.ts'
import type { Database } from '../database.ts'
import { queueAll } from '../optOut/queue.ts'
import { candidates, connections } from '../schema.ts'
import { keepBack as keepNotesBack } from '../note/wake.ts'
import { keepBack } from '../submission/claim.ts'
import { connectionContext, type SecretBox } from '../secret.ts'
import { upsertFields } from './fields.ts'
import { get, lockAccount } from './find.ts'
import { ensureSlots, ofAttempt, type CandidateKey } from './propose.ts'
import { resumeHeld } from './state.ts'

type Acceptance = {
  identity: CrmIdentity
  username: string
  password: string
  fields: Partial<Record<CrmEntity, CrmField[]>>
  /** another CRM takes the place of one that was reset: it gets an id of its own (C3) */
  otherCrm: boolean
}

/**
 * Makes the candidate the connection, with what was found there, and wakes the runs that waited (C2). Answers false, and changes nothing, when
 * the candidate was replaced or reset while it was checked.
 */
export const accept = (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  key: CandidateKey,
  { identity, username, password, fields, otherCrm }: Acceptance,
): Promise<boolean> =>
  db.transaction(async (tx) => {
    await lockAccount(tx, accountId)
    const judged = await tx
      .update(candidates)
      .set({ state: 'accepted', secret: null, problem: null })
      .where(ofAttempt(key))
      .returning({ id: candidates.id })
    if (judged.length === 0) return false
    const { connectionId } = key
    let connection = await get(tx, accountId, connectionId)
    if (otherCrm) {
      await tx.update(connections).set({ active: false }).where(eq(connections.id, connectionId))
      connection = (await tx.insert(connections).values({ accountId }).returning())[0]!
      await ensureSlots(tx, connection)
      await keepBack(tx, accountId)
      await keepNotesBack(tx, accountId)
    }
    await tx
      .update(connections)
      .set({
        state: 'connected',
        url: identity.url,
        username,
        secret: secrets.seal(password, connectionContext(connection.id)),
        version: identity.version,
        family: identity.family,
        crmUserId: identity.userId,
        rights: identity.rights,
        problem: null,
        checkedAt: new Date(),
        connectedAt: new Date(),
      })
      .where(eq(connections.id, connection.id))
    for (const [entity, found] of Object.entries(fields)) {
      await upsertFields(tx, accountId, connection.id, entity as CrmEntity, found)
    }
    await alerts.resolve(tx, accountId, { kind: 'connectionBroken', subject: connection.id })
    await queueAll(tx, accountId, connection.id)
    await resumeHeld(tx, accountId)
    return true
  })

import { and, eq, isNull, sql } from 'drizzle-orm'
import { FairleadError, misplaced } from '../../domain/errors.ts'
import type { DecisionCandidate } from '../../domain/decision.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { decisions, lists } from '../schema.ts'
import { peopleLock } from '../sync/rows.ts'

type Row = typeof decisions.$inferSelect

const find = async (tx: Transaction, accountId: string, decisionId: string) => {
  const [found] = await tx
    .select({ decision: decisions, connectionId: lists.connectionId })
    .from(decisions)
    .innerJoin(lists, eq(lists.id, decisions.listId))
    .where(and(eq(decisions.accountId, accountId), eq(decisions.id, decisionId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

const candidateOf = ({ kind, candidates }: Row, crmId: string | null): DecisionCandidate | null => {
  const ids = candidates.map(({ id }) => id).join(', ')
  if (crmId === null) {
    if (kind === 'successor') return null
    throw misplaced('crmId', `expects one of ${ids}.`)
  }
  const chosen = candidates.find(({ id }) => id === crmId)
  if (chosen === undefined) throw misplaced('crmId', `expects one of ${ids}${kind === 'successor' ? ', or null' : ''}.`)
  return chosen
}

/** R16: what was said of a person holds for all lists that have it; their next sync reads the person by id, and follows. */
const tellLists = async (
  tx: Transaction,
  connectionId: string,
  { crmEntity, crmId }: Row,
  chosen: DecisionCandidate | null,
): Promise<void> => {
  const ofPerson = sql`connection_id = ${connectionId}::uuid and entity = ${crmEntity} and crm_id = ${crmId}`
  await tx.execute(
    chosen === null
      ? sql`update crm_people set state = 'deletedInCrm', successor_entity = null, successor_id = null, since = now() where ${ofPerson}`
      : sql`update crm_people set successor_entity = ${chosen.entity}, successor_id = ${chosen.id}, since = now() where ${ofPerson}`,
  )
  if (chosen === null) return
  await tx.execute(sql`
    insert into late_rows (list_id, entity, crm_id, account_id)
    select r.list_id, r.crm_entity, r.crm_id, r.account_id
    from lists l join records r on r.list_id = l.id and r.crm_entity = ${crmEntity} and r.crm_id = ${crmId}
    where l.connection_id = ${connectionId}::uuid and l.removed_at is null and r.removed_at is null
    order by r.list_id on conflict do nothing`)
}

/**
 * Answers an open question: with one of its candidates, or, where somebody is gone, with nobody (null). The next run goes by it. Of a person who is
 * gone it answers the questions of all lists. Errors: notFound, alreadyDecided, invalidInput.
 */
export const decide = (
  db: Database,
  accountId: string,
  decisionId: string,
  crmId: string | null,
  actor: audits.Actor,
): Promise<void> =>
  db.transaction(async (tx) => {
    const { decision: asked, connectionId } = await find(tx, accountId, decisionId)
    // before the row: whoever settles people takes the two in this order
    if (asked.kind === 'successor' && connectionId !== null)
      await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${peopleLock(connectionId)}::text, 0))`)
    const chosen = candidateOf(asked, crmId)
    const answer = {
      decidedAt: sql`now()`,
      decidedBy: actor.apiKeyId,
      chosenEntity: chosen?.entity ?? null,
      chosenId: chosen?.id ?? null,
    }
    const isOpen = and(eq(decisions.accountId, accountId), isNull(decisions.decidedAt), isNull(decisions.closedAt))
    const [moved] = await tx
      .update(decisions)
      .set(answer)
      .where(and(isOpen, eq(decisions.id, decisionId)))
      .returning({ id: decisions.id })
    if (moved === undefined) throw new FairleadError('alreadyDecided')
    if (asked.kind === 'successor' && connectionId !== null) {
      const same = and(
        eq(decisions.kind, 'successor'),
        eq(decisions.crmEntity, asked.crmEntity!),
        eq(decisions.crmId, asked.crmId!),
      )
      await tx.update(decisions).set(answer).where(and(isOpen, same))
      await tellLists(tx, connectionId, asked, chosen)
    }
    const details = { kind: asked.kind, answer: chosen === null ? 'nobody' : 'person' }
    await audits.insert(tx, accountId, actor, { action: 'decision.make', targetId: decisionId, details })
  })

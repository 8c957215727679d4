import { and, desc, eq, getTableColumns, inArray, lt, notInArray, sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { apiKeys, deliveries, messages, notes, optOuts, runs, suppressions } from '../schema.ts'
import { idAt } from './eventId.ts'
import { withoutLimit, type Part, type Subject } from './timeline.ts'

/** G1: mails of messages, but for those still on their way. */
const pageDeliveries = (db: Database, { accountId, id }: Subject, { before, limit }: Part) =>
  db
    .select({
      id: deliveries.id,
      code: deliveries.code,
      deliveryState: deliveries.state,
      smtpStatus: deliveries.smtpStatus,
      smtpCode: deliveries.smtpCode,
      crmEntity: deliveries.crmEntity,
      crmId: deliveries.crmId,
      messageId: messages.id,
      messageName: messages.name,
      runId: runs.id,
      runKind: runs.kind,
      runTrigger: runs.trigger,
    })
    .from(deliveries)
    .innerJoin(messages, eq(messages.id, deliveries.messageId))
    .leftJoin(runs, eq(runs.id, deliveries.runId))
    .where(
      and(
        eq(deliveries.accountId, accountId),
        eq(deliveries.recordId, id),
        notInArray(deliveries.state, ['waiting', 'sending']),
        before === undefined ? undefined : lt(deliveries.id, before),
      ),
    )
    .orderBy(desc(deliveries.id))
    .limit(limit ?? withoutLimit)

/** G3: notes in the CRM that are settled. */
const allNotes = (db: Database, { accountId, id }: Subject) =>
  db
    .select({
      id: notes.deliveryId,
      state: notes.state,
      code: notes.code,
      said: notes.crm,
      warnings: notes.warnings,
      crmEntity: notes.crmEntity,
      crmId: notes.crmId,
      at: sql<Date>`coalesce(${notes.writtenAt}, ${runs.finishedAt}, ${notes.createdAt})`.mapWith(notes.createdAt),
      runId: runs.id,
      runKind: runs.kind,
      runTrigger: runs.trigger,
    })
    .from(notes)
    .innerJoin(deliveries, eq(deliveries.id, notes.deliveryId))
    .leftJoin(runs, eq(runs.id, notes.runId))
    .where(
      and(
        eq(notes.accountId, accountId),
        eq(deliveries.recordId, id),
        inArray(notes.state, ['written', 'skipped', 'rejected']),
      ),
    )

/** R34: what was said about e-mail to the address that the record has, and what of it the CRM has confirmed. */
const suppressionsOf = async (db: Database, { accountId, emailKey }: Subject) => {
  if (emailKey === null) return { said: [], told: [] }
  const key = { apiKeyName: apiKeys.name }
  const said = await db
    .select({ ...getTableColumns(suppressions), ...key })
    .from(suppressions)
    .leftJoin(apiKeys, sql`${apiKeys.id} = coalesce(${suppressions.liftedBy}, ${suppressions.createdBy})`)
    .where(and(eq(suppressions.accountId, accountId), eq(suppressions.emailKey, emailKey)))
  const told = await db
    .select({ optOut: optOuts, suppression: suppressions })
    .from(optOuts)
    .innerJoin(suppressions, eq(suppressions.id, optOuts.suppressionId))
    .where(
      and(
        eq(optOuts.accountId, accountId),
        eq(optOuts.emailKey, emailKey),
        inArray(optOuts.state, ['written', 'rejected']),
      ),
    )
  return { said, told }
}

type DeliveryEvent = { of: 'delivery'; id: string } & Awaited<ReturnType<typeof pageDeliveries>>[number]
type NoteEvent = { of: 'note'; id: string } & Awaited<ReturnType<typeof allNotes>>[number]
type Suppressions = Awaited<ReturnType<typeof suppressionsOf>>
type Said = { id: string; suppression: Suppressions['said'][number] }
type SuppressionEvent = ({ of: 'suppressed' } & Said) | ({ of: 'lifted' } & Said)
type OptOutEvent = { of: 'optOut'; id: string } & Suppressions['told'][number]
export type MailEvent = DeliveryEvent | NoteEvent | SuppressionEvent | OptOutEvent

/** What was mailed to a record, the notes about it, and what was said about e-mail to its address. */
export const mailEvents = async (db: Database, subject: Subject, part: Part): Promise<MailEvent[]> => {
  const sent = await pageDeliveries(db, subject, part)
  const noted = await allNotes(db, subject)
  const { said, told } = await suppressionsOf(db, subject)
  return [
    ...sent.map((row) => ({ of: 'delivery' as const, ...row })),
    ...noted.map((row) => ({ of: 'note' as const, ...row, id: idAt(row.id, row.at) })),
    ...said.flatMap((suppression): SuppressionEvent[] => {
      const { id, liftedAt } = suppression
      const made: SuppressionEvent = { of: 'suppressed', id, suppression }
      return liftedAt === null ? [made] : [made, { of: 'lifted', id: idAt(id, liftedAt), suppression }]
    }),
    ...told.map((row) => ({ of: 'optOut' as const, ...row, id: idAt(row.optOut.id, row.optOut.settledAt!) })),
  ]
}

import { pack } from '../../src/db/delivery/content.ts'
import { newToken } from '../../src/db/delivery/token.ts'
import * as notes from '../../src/db/note/insert.ts'
import { deliveries, deliveryContents } from '../../src/db/schema.ts'
import type { MessageDefinition } from '../../src/domain/message.ts'
import { until, type Fairlead } from './fairlead.ts'
import { openMessage } from './message.ts'

export type Recipient = {
  recordId: string
  entity: 'lead' | 'contact' | null
  crmId: string | null
  email: string | null
}
export type Note = {
  id: string
  state: string
  code: string | null
  entity: string | null
  crmId: string | null
  noteId: string | null
  token: string
  warnings: { code: string; ids?: string[] }[]
}

const sentAt = new Date('2026-11-20T08:30:15.250Z')

/** A message whose mails were accepted, as the sender leaves them. */
export const openNotes = async (fairlead: Fairlead, listId: string, more: Partial<MessageDefinition> = {}) => {
  const { db, accountId } = fairlead
  const message = await openMessage(fairlead, listId, { addNote: true, ...more })
  const { messageId, definition } = message
  return {
    messageId,
    sentAt,
    recipients: async (limit = 1000): Promise<Recipient[]> => [
      ...(await db.$client<Recipient[]>`
        select id::text as "recordId", crm_entity as entity, crm_id as "crmId", fields->>'c1' as email from records
        where list_id = ${listId} and removed_at is null and email_key is not null order by id limit ${limit}`),
    ],
    /** mails that the mail server took; in one transaction with their notes */
    async accept(people: readonly Recipient[], subject = 'Grüße an Sie 😀'): Promise<string[]> {
      const ids = await db.transaction(async (tx) => {
        const rows = await tx
          .insert(deliveries)
          .values(
            people.map(({ recordId, entity, crmId, email }) => ({
              accountId,
              messageId,
              version: 1,
              listId,
              recordId,
              crmEntity: entity,
              crmId,
              email,
              state: 'accepted' as const,
              previewToken: newToken(),
              sentAt,
              acceptedAt: sentAt,
            })),
          )
          .returning({ id: deliveries.id })
        const content = pack({ subject, html: '<p>Hello</p>', text: 'Hello' }, definition.html)
        await tx.insert(deliveryContents).values(rows.map(({ id }) => ({ deliveryId: id, accountId, ...content })))
        const all = rows.map(({ id }) => id)
        await notes.insert(tx, accountId, messageId, all)
        return all
      })
      await fairlead.wiring.relay()
      return ids
    },
    all: async (): Promise<Note[]> => [
      ...(await db.$client<Note[]>`
        select n.delivery_id::text as id, n.state, n.code, n.crm_entity as entity, n.crm_id as "crmId", n.note_id as "noteId", d.preview_token as token, n.warnings
        from notes n join deliveries d on d.id = n.delivery_id where n.message_id = ${messageId} order by n.delivery_id`),
    ],
    runs: async (): Promise<string[]> =>
      (
        await db.$client<
          { id: string }[]
        >`select id::text from runs where message_id = ${messageId} and kind = 'notes' order by id`
      ).map(({ id }) => id),
    reached: (state: string, count = 1): Promise<true | undefined> =>
      until(`${count} notes are ${state}`, async () => {
        const [row] = await db.$client<[{ n: number }]>`
          select count(*)::int as n from notes where message_id = ${messageId} and state = ${state}`
        return row.n >= count || undefined
      }),
  }
}

/** Notes in the CRM, by the token of their link. */
export const inCrm = ({ simulator }: Fairlead): Map<string, Record<string, unknown>[]> => {
  const found = new Map<string, Record<string, unknown>[]>()
  for (const note of simulator.control.notes({ count: 100_000 }).items as Record<string, unknown>[]) {
    const token = /\/p\/([\w-]+)/.exec(String(note['LongNotes']))?.[1] ?? ''
    found.set(token, [...(found.get(token) ?? []), note])
  }
  return found
}

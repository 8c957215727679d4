import { unpack } from '../../src/db/delivery/content.ts'
import { request } from '../../src/db/delivery/request.ts'
import { messages, messageVersions } from '../../src/db/schema.ts'
import type { DeliveryState } from '../../src/domain/delivery.ts'
import type { MessageDefinition } from '../../src/domain/message.ts'
import type { Fairlead } from './fairlead.ts'

export type Delivered = {
  id: string
  email: string | null
  state: DeliveryState
  code: string | null
  smtpStatus: number | null
  smtpCode: string | null
  isUnsure: boolean
  tries: number
  previewToken: string | null
  unsubscribeToken: string | null
  acceptedAt: Date | null
}

let made = 0

export const definitionFor = (listId: string, more: Partial<MessageDefinition> = {}): MessageDefinition => ({
  subject: 'Grüße an {{ first_name | default: "Sie" }}',
  preheader: '',
  html: '<!doctype html>\n<html><body>\n<p>Guten Tag {{ first_name }} {{ last_name }}, äöü € 😀</p>\n<a href="{{ unsubscribe_url }}">abmelden</a> <a href="{{ preview_url }}">ansehen</a>\n</body></html>\n',
  text: null,
  from: { name: 'Müller, Straße & Söhne', email: 'news@sender.example' },
  replyTo: 'answers@sender.example',
  audience: { lists: [listId], segments: [], withoutLists: [], withoutSegments: [] },
  addNote: false,
  sender: 'smtp',
  unknownFate: 'repeat',
  ...more,
})

/** A message to a list. */
export const openMessage = async (
  { db, accountId, wiring }: Pick<Fairlead, 'db' | 'accountId' | 'wiring'>,
  listId: string,
  more: Partial<MessageDefinition> = {},
) => {
  const definition = definitionFor(listId, more)
  const [message] = await db
    .insert(messages)
    .values({ accountId, name: `Message ${(made += 1)}` })
    .returning()
  const messageId = message!.id
  await db.insert(messageVersions).values({ messageId, version: 1, accountId, definition })
  return {
    messageId,
    definition,
    async send(at: Date | null = null): Promise<string> {
      const { runId } = await db.transaction((tx) => request(tx, accountId, messageId, at))
      await wiring.relay()
      return runId
    },
    state: async () => (await db.query.messages.findFirst({ where: (t, { eq }) => eq(t.id, messageId) }))!.state,
    deliveries: async (): Promise<Delivered[]> => [
      ...(await db.$client<Delivered[]>`
        select id::text, email, state, code, smtp_status as "smtpStatus", smtp_code as "smtpCode", is_unsure as "isUnsure", tries,
          preview_token as "previewToken", unsubscribe_token as "unsubscribeToken", accepted_at as "acceptedAt"
        from deliveries where message_id = ${messageId} order by id`),
    ],
    /** what is stored of a mail, as its preview would show it */
    async content(deliveryId: string) {
      const row = await db.query.deliveryContents.findFirst({ where: (t, { eq }) => eq(t.deliveryId, deliveryId) })
      return row === undefined ? null : unpack(row, definition.html)
    },
  }
}

export type TestMessage = Awaited<ReturnType<typeof openMessage>>

/** Puts people on a plain list, without asking anybody. */
export const addPeople = async (
  { db, accountId, wiring }: Pick<Fairlead, 'db' | 'accountId' | 'wiring'>,
  listId: string,
  people: readonly { email: string | null; first?: string; last?: string }[],
  keyOf: (email: string | null) => Buffer | null,
): Promise<void> => {
  void wiring
  const rows = people.map(({ email, first = '', last = '' }) => ({
    fields: { c1: email, c2: first, c3: last },
    key: keyOf(email)?.toString('hex') ?? null,
  }))
  await db.$client`
    insert into records (account_id, list_id, email_key, fields)
    select ${accountId}::uuid, ${listId}::uuid, decode(r.key, 'hex'), r.fields
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r (fields jsonb, key text)`
}

import { randomBytes } from 'node:crypto'
import { pack } from '../../src/db/delivery/content.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import * as t from '../../src/db/schema.ts'
import type { MessageDefinition } from '../../src/domain/message.ts'
import type { TestApi } from './api.ts'

type Row = typeof t.deliveries.$inferInsert
type Given = {
  subject?: string
  html?: string
  text?: string
  from?: MessageDefinition['from']
  /** null: nothing is kept */
  content?: null
  row?: Partial<Row>
}

const template = '<!doctype html><p>Hello {{ first_name }}</p>'
const token = (): string => randomBytes(24).toString('base64url')

/** Deliveries put straight into the tables, as sending leaves them. */
export const openDeliveries = ({ db, secrets, account }: TestApi) => {
  let count = 0
  const message = async (from: MessageDefinition['from']): Promise<string> => {
    const name = `Message ${(count += 1)}`
    const [made] = await db.insert(t.messages).values({ accountId: account.id, name, state: 'sent' }).returning()
    const definition: MessageDefinition = {
      subject: 'Hello',
      preheader: '',
      html: template,
      text: null,
      from,
      replyTo: null,
      audience: { lists: [], segments: [], withoutLists: [], withoutSegments: [] },
      addNote: true,
      sender: 'smtp',
      unknownFate: 'repeat',
    }
    await db.insert(t.messageVersions).values({ accountId: account.id, messageId: made!.id, version: 1, definition })
    return made!.id
  }
  return {
    message,
    async make(given: Given = {}) {
      const { subject = 'Hello', html = '<p>Hello Pat</p>', text = 'Hello Pat\n', row = {} } = given
      const messageId = row.messageId ?? (await message(given.from ?? { name: 'Example', email: 'news@example.com' }))
      const email = row.email === undefined ? 'pat@example.com' : row.email
      const emailKey = emailKeyOf(await hashKeyOf(db, secrets, account.id), email ?? 'pat@example.com')
      const [delivery] = await db
        .insert(t.deliveries)
        .values({
          accountId: account.id,
          version: 1,
          state: 'accepted',
          emailKey,
          email,
          previewToken: token(),
          unsubscribeToken: token(),
          sentAt: new Date('2026-11-23T10:00:00Z'),
          ...row,
          messageId,
        })
        .returning()
      const { id: deliveryId, accountId, previewToken, unsubscribeToken } = delivery!
      if (given.content !== null) {
        const packed = pack({ subject, html, text }, template)
        await db.insert(t.deliveryContents).values({ deliveryId, accountId, ...packed })
      }
      return { id: deliveryId, messageId, html, preview: `/p/${previewToken}`, unsubscribe: `/u/${unsubscribeToken}` }
    },
  }
}

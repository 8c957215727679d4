import { z } from 'zod'
import { Id, Name, text } from '../schemas.ts'

export const MessageParams = z.strictObject({ messageId: Id })

const longestTemplate = 500_000
/** What HTML and text of the largest message take as JSON. */
export const mostMessageBytes = 4 * 1024 * 1024

const Ids = z.array(Id).max(100)

export const Sender = z.enum(['smtp', 'other']).meta({
  description: '`smtp`: it is sent from here. `other`: another sender does, and reports its deliveries',
})
export const Fate = z.enum(['repeat', 'leave']).meta({
  description:
    'what becomes of a mail of which nobody knows whether the mail server took it. `repeat`: it is sent again, and may come twice. `leave`: it is not, and may not have come',
})

const definition = {
  name: Name.meta({ description: 'for people here; recipients never see it' }),
  subject: text(500).meta({ description: 'a Liquid template, one line' }),
  preheader: text(1000)
    .optional()
    .meta({ description: 'what mail programs show beside the subject; a Liquid template' }),
  html: text(longestTemplate).optional().meta({
    description:
      'a Liquid template. Placeholders are names of columns in small letters: `{{ first_name | default: "you" }}`, `{{ business_city }}`; `{{ unsubscribe_url }}` must be there, `{{ preview_url }}` may be. Values become text, never markup',
  }),
  text: text(longestTemplate)
    .nullable()
    .optional()
    .meta({ description: 'a Liquid template; null: made of the HTML of each mail' }),
  from: z.strictObject({ name: text(200).optional(), email: text(320).min(1) }),
  replyTo: text(320).nullable().optional(),
  audience: z
    .strictObject({
      lists: Ids.optional(),
      segments: Ids.optional(),
      withoutLists: Ids.optional(),
      withoutSegments: Ids.optional(),
    })
    .optional()
    .meta({
      description: 'everybody of `lists` and `segments`, less everybody of the others, by record and by address',
    }),
  addNote: z
    .boolean()
    .optional()
    .meta({ description: 'a note in Infor CRM for each person who got it; on where it is not said' }),
  sender: Sender.optional(),
  unknownFate: Fate.optional(),
}

const example = {
  name: 'Spring news',
  subject: 'News for {{ first_name | default: "you" }}',
  html: '<html><body><p>Dear {{ first_name | default: "reader" }},</p><p>…</p><p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p></body></html>',
  from: { name: 'Example Ltd', email: 'news@example.com' },
  replyTo: 'sales@example.com',
  addNote: true,
}

export const NewMessage = z.strictObject(definition).meta({ id: 'NewMessage', examples: [example] })

export const MessageVersion = z
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1)

export const MessageChanges = z
  .strictObject({
    version: MessageVersion.meta({
      description: 'as it was read; when the message has changed since, nothing is written',
    }),
    ...z.strictObject(definition).partial().shape,
  })
  .refine((changes) => Object.keys(changes).length > 1, 'names nothing to change')
  .meta({ id: 'MessageChanges', examples: [{ version: 1, subject: 'News of the spring' }] })

export const MessageCopy = z
  .strictObject({ name: Name.optional().meta({ description: '“… (2)” where it is not said' }) })
  .meta({ id: 'MessageCopy', examples: [{ name: 'Summer news' }] })

export const MessageTestRequest = z
  .strictObject({
    to: z.array(text(320).min(1)).min(1).max(5),
    recordId: Id.optional().meta({ description: 'whose values it shows; without it all are blank' }),
  })
  .meta({ id: 'NewMessageTest', examples: [{ to: ['me@example.com'] }] })

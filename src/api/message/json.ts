import { z } from 'zod'
import type { Message as Row } from '../../db/message.ts'
import { deliveryStates, noteStates, skipReasons } from '../../domain/delivery.ts'
import { messageStates, type MessageSender } from '../../domain/message.ts'
import { Id, Instant, instant, instantOrNull } from '../schemas.ts'
import { Fate, MessageVersion, Sender } from './input.ts'

const count = z.number().int()
const counted = <Key extends string>(keys: readonly Key[]) =>
  z.object(Object.fromEntries(keys.map((key) => [key, count])) as Record<Key, z.ZodNumber>)

const shared = {
  id: Id,
  name: z.string(),
  subject: z.string(),
  state: z.enum(messageStates).meta({
    description: '`draft`, `scheduled`: can be changed. `sending`, `sent`, `cancelled`: copy it instead',
  }),
  version: MessageVersion.meta({
    description: 'rises with each change; what was sent keeps the one that it was made by',
  }),
  sender: Sender,
  addNote: z.boolean(),
  scheduledAt: Instant.nullable(),
  sentAt: Instant.nullable(),
  createdAt: Instant,
  updatedAt: Instant,
}

const sharedExample = {
  id: '019ab3c7-0000-7000-8000-112233445566',
  name: 'Spring news',
  subject: 'News for {{ first_name | default: "you" }}',
  state: 'draft',
  version: 1,
  sender: 'smtp',
  addNote: true,
  scheduledAt: null,
  sentAt: null,
  createdAt: '2026-11-23T10:00:00.000Z',
  updatedAt: '2026-11-23T10:00:00.000Z',
}

export const MessageItem = z.object(shared).meta({ id: 'MessageItem', examples: [sharedExample] })

const MessageProblem = z
  .object({
    code: z.string(),
    message: z.string(),
    remedy: z.string(),
    path: z.string().meta({ description: 'the place in the message; blank where it is elsewhere' }),
  })
  .meta({ id: 'MessageProblem' })

const zeros = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, 0]))
const listId = '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071'

export const Message = z
  .object({
    ...shared,
    preheader: z.string(),
    html: z.string(),
    text: z.string().nullable(),
    from: z.object({ name: z.string(), email: z.string() }),
    replyTo: z.string().nullable(),
    audience: z.object({
      lists: z.array(Id),
      segments: z.array(Id),
      withoutLists: z.array(Id),
      withoutSegments: z.array(Id),
    }),
    unknownFate: Fate,
    deliveries: counted(deliveryStates).meta({ description: 'how many are in each state' }),
    notes: counted(noteStates).meta({ description: 'how many notes in Infor CRM are in each state' }),
    warnings: z.array(MessageProblem).meta({ description: 'placeholders that no list of the audience has' }),
  })
  .meta({
    id: 'Message',
    examples: [
      {
        ...sharedExample,
        preheader: '',
        html: '<html><body><p>Dear {{ first_name }},</p><a href="{{ unsubscribe_url }}">Unsubscribe</a></body></html>',
        text: null,
        from: { name: 'Example Ltd', email: 'news@example.com' },
        replyTo: null,
        audience: { lists: [listId], segments: [], withoutLists: [], withoutSegments: [] },
        unknownFate: 'repeat',
        deliveries: zeros(deliveryStates),
        notes: zeros(noteStates),
        warnings: [],
      },
    ],
  })

export const MessageCheck = z
  .object({
    ready: z.boolean(),
    problems: z.array(MessageProblem).meta({ description: 'what keeps it from being sent' }),
    audience: z
      .object({
        records: count,
        toSend: count,
        skipped: z.partialRecord(z.enum(skipReasons), count).meta({ description: 'who is not mailed, by reason' }),
      })
      .nullable()
      .meta({ description: 'null where it cannot be found, which a problem explains' }),
    placeholders: z.array(z.string()).meta({ description: 'what its templates can ask for' }),
  })
  .meta({
    id: 'MessageCheck',
    examples: [
      {
        ready: true,
        problems: [],
        audience: { records: 1000, toSend: 970, skipped: { noEmail: 10, suppressed: 20 } },
        placeholders: ['email', 'first_name', 'last_name'],
      },
    ],
  })

export const MessageTest = z
  .object({
    id: Id,
    state: z.enum(['waiting', 'sent', 'failed']).meta({
      description: '`waiting`: it is still under way. `sent`: the mail server has answered for every address',
    }),
    code: z.string().nullable(),
    accepted: count,
    rejected: count,
  })
  .meta({
    id: 'MessageTest',
    examples: [{ id: '019ab3c7-2000-7000-8000-112233445566', state: 'sent', code: null, accepted: 1, rejected: 0 }],
  })

type Item = Omit<Row, 'definition'> & { subject: string; sender: MessageSender; addNote: boolean }

export const messageItem = (message: Item): z.infer<typeof MessageItem> => ({
  id: message.id,
  name: message.name,
  subject: message.subject,
  state: message.state,
  version: message.version,
  sender: message.sender,
  addNote: message.addNote,
  scheduledAt: instantOrNull(message.scheduledAt),
  sentAt: instantOrNull(message.sentAt),
  createdAt: instant(message.createdAt),
  updatedAt: instant(message.updatedAt),
})

const allOf = <Key extends string>(keys: readonly Key[], found: Partial<Record<Key, number>>) =>
  Object.fromEntries(keys.map((key) => [key, found[key] ?? 0])) as Record<Key, number>

type About = {
  counts: { deliveries: Partial<Record<string, number>>; notes: Partial<Record<string, number>> }
  warnings: z.infer<typeof MessageProblem>[]
}

export const messageJson = (message: Row, { counts, warnings }: About): z.infer<typeof Message> => {
  const { definition } = message
  const { preheader, html, text, from, replyTo, audience, unknownFate } = definition
  return {
    ...messageItem({ ...message, ...definition }),
    preheader,
    html,
    text,
    from,
    replyTo,
    audience,
    unknownFate,
    deliveries: allOf(deliveryStates, counts.deliveries),
    notes: allOf(noteStates, counts.notes),
    warnings,
  }
}

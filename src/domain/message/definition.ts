/** G1: who gets a message: everybody of the first two, less everybody of the others. Ids of lists and segments. */
export type MessageAudience = {
  lists: string[]
  segments: string[]
  withoutLists: string[]
  withoutSegments: string[]
}

/** `smtp`: we send it. `other`: another sender does, and reports its deliveries. */
export type MessageSender = 'smtp' | 'other'

/**
 * What becomes of a mail that was handed over when the worker died, so that nobody knows whether the mail server took it. `repeat`: it is sent again, and
 * said that it may have come twice. `leave`: it is not, and said that it may not have come at all.
 */
export type UnknownFate = 'repeat' | 'leave'

/** What a person writes: subject, preheader, HTML and text are Liquid templates. A version of it never changes. */
export type MessageDefinition = {
  subject: string
  /** shown by mail programs beside the subject; '' for none */
  preheader: string
  html: string
  /** null: derived from the HTML of each mail */
  text: string | null
  from: { name: string; email: string }
  replyTo: string | null
  audience: MessageAudience
  /** G2 */
  addNote: boolean
  sender: MessageSender
  unknownFate: UnknownFate
}

/** `scheduled`: is sent at its time. `sending`: by its run. `sent`: nothing of it is waiting any more; another sender's message stays `sending` until it is closed. */
export const messageStates = ['draft', 'scheduled', 'sending', 'sent', 'cancelled'] as const
export type MessageState = (typeof messageStates)[number]

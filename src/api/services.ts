import type { Database } from '../db/database.ts'
import type { SecretBox } from '../db/secret.ts'
import type { Content } from '../domain/delivery.ts'
import type { MessageDefinition, Placeholder } from '../domain/message.ts'
import type { Log } from '../log.ts'

/** Reads the templates of a message once, to make many mails of it. */
export type CompileMessage = (definition: Pick<MessageDefinition, 'subject' | 'preheader' | 'html' | 'text'>) => {
  render: (values: { record: Record<string, string>; unsubscribeUrl: string; previewUrl: string }) => Content
  /** what the templates ask for, everywhere where they do */
  placeholders: () => Placeholder[]
}

/** What the API is given; it opens nothing by itself. */
export type Services = {
  db: Database
  secrets: SecretBox
  /** hands the outbox to the workflow engine now; while the engine is away the row simply waits */
  relay: () => Promise<void>
  engineReady: () => Promise<boolean>
  temporalUiUrl: string
  temporalNamespace: string
  /** throws hostNotAllowed for what no webhook may call */
  checkWebhookHost: (hostname: string) => void
  /** whether a mail server is configured */
  mailConfigured: boolean
  /** where people reach this installation, without a slash at the end; null where nobody has said it */
  publicUrl: string | null
  compileMessage: CompileMessage
  log: Log
}

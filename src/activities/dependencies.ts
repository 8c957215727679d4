import type { Connection } from '../db/connection.ts'
import type { Database } from '../db/database.ts'
import type { SecretBox } from '../db/secret.ts'
import type { SendMail, SendWebhook } from '../domain/alert.ts'
import type { Crm, CrmCredentials } from '../domain/crm.ts'
import type { RunKind } from '../domain/run.ts'
import type { Content, MailServer } from '../domain/delivery.ts'
import type { MessageDefinition, Placeholder } from '../domain/message.ts'
import type { Log } from '../log.ts'

/** What the templates of a message are made of: values by placeholder, and the links of the very mail. */
export type MergeValues = { record: Record<string, string>; unsubscribeUrl: string; previewUrl: string }

export type Dependencies = {
  db: Database
  secrets: SecretBox
  log: Log
  crms: {
    /** the CRM of a connection, opened once per process and secret */
    of(connection: Connection): Crm
    /** a CRM to try credentials on; the caller closes it */
    open(connection: Connection, credentials: CrmCredentials): Crm
  }
  /** R7: how long after a request went out the CRM may still carry it out */
  creationWaitMs: number
  deliverOutbox: () => Promise<void>
  alerts: {
    sendWebhook: SendWebhook
    /** null: no mail server is configured */
    sendMail: SendMail | null
    /** seconds before the second attempt, the third … */
    retrySeconds: readonly number[]
  }
  mail: {
    /** null: none is configured */
    server: MailServer | null
    /** where the links of mails lead; null where nobody has said it */
    publicUrl: string | null
    /** seconds before a mail is tried for the second time, the third … */
    retrySeconds: readonly number[]
    /** reads the templates once. Errors: those of the templates */
    compile: (definition: MessageDefinition) => {
      render: (values: MergeValues) => Content
      placeholders: () => Placeholder[]
    }
    links: {
      preview: (publicUrl: string, token: string) => string
      unsubscribe: (publicUrl: string, token: string) => string
    }
  }
}

/** Names a run to every activity; people never travel. */
export type RunInput = { accountId: string; runId: string; listId?: string; connectionId?: string; kind?: RunKind }

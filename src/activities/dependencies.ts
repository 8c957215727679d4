import type { Connection } from '../db/connection.ts'
import type { Database } from '../db/database.ts'
import type { SecretBox } from '../db/secret.ts'
import type { SendMail, SendWebhook } from '../domain/alert.ts'
import type { Crm, CrmCredentials } from '../domain/crm.ts'
import type { RunKind } from '../domain/run.ts'
import type { Log } from '../log.ts'

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
}

/** Names a run to every activity; people never travel. */
export type RunInput = { accountId: string; runId: string; listId?: string; connectionId?: string; kind?: RunKind }

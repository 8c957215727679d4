import type { FastifyReply } from 'fastify'
import * as connections from '../../db/connection.ts'
import * as forms from '../../db/form.ts'
import type { CrmEntity } from '../../domain/crm.ts'
import { poll } from '../poll.ts'
import type { Services } from '../services.ts'

/** Where the items of a picklist are known, a CRM that is slow holds up the saving of a form no longer. */
const refreshMs = 3000

type Of = { entity: CrmEntity; field: string }

/** Has the CRM's picklists that the fields name read anew; what cannot be read in time stays as it was read last. */
export const readPicklists = async (
  { db, relay }: Services,
  reply: FastifyReply,
  accountId: string,
  fields: readonly { picklist?: Of | null | undefined }[] = [],
): Promise<void> => {
  const asked = new Map<string, Of>()
  for (const { picklist } of fields) {
    if (!picklist) continue
    const live = (await connections.findFields(db, accountId, picklist.entity))?.fields ?? []
    const field = live.find(({ name }) => name.toLowerCase() === picklist.field.toLowerCase())
    if (field?.picklist) asked.set(`${picklist.entity} ${field.name}`, { ...picklist, field: field.name })
  }
  const readOne = async (of: Of): Promise<void> => {
    const before = await forms.picklistReadAt(db, accountId, of)
    if (!(await forms.requestPicklist(db, accountId, of))) return
    await relay()
    const waitMs = before === undefined ? undefined : Math.min(refreshMs, reply.server.waitMs)
    await poll(
      reply,
      async () => {
        const readAt = await forms.picklistReadAt(db, accountId, of)
        return readAt?.getTime() === before?.getTime() ? undefined : readAt
      },
      waitMs,
    )
  }
  await Promise.all([...asked.values()].map(readOne))
}

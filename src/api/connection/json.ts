import { z } from 'zod'
import * as connections from '../../db/connection.ts'
import type { Database } from '../../db/database.ts'
import { CrmSaid, Id, Instant, instantOrNull } from '../schemas.ts'

const ConnectionProblem = z
  .object({ code: z.string(), detail: z.string(), remedy: z.string(), crm: CrmSaid.optional(), at: z.string() })
  .meta({ id: 'ConnectionProblem' })

export const Connection = z
  .object({
    id: Id.nullable(),
    state: z.enum(['disconnected', 'checking', 'connected', 'needsReconfirm', 'reset']),
    url: z.string().nullable(),
    username: z.string().nullable(),
    version: z.string().nullable(),
    family: z.string().nullable(),
    rights: z.array(z.string()).nullable(),
    concurrency: z.number().int().nullable().meta({ description: 'the most requests to the CRM at one time' }),
    problem: ConnectionProblem.nullable().meta({ description: 'what keeps the connection from working' }),
    check: z
      .object({ state: z.enum(['checking', 'accepted', 'refused']), problem: ConnectionProblem.nullable() })
      .nullable()
      .meta({ description: 'the last credentials that were handed in' }),
    checkedAt: Instant.nullable(),
    connectedAt: Instant.nullable(),
  })
  .meta({
    id: 'Connection',
    description: 'The account’s link to one Infor CRM. The password is never shown.',
    examples: [
      {
        id: '019ab3c4-5a00-7000-8000-3c4d5e6f7081',
        state: 'connected',
        url: 'https://crm.example.com/sdata',
        username: 'fairlead',
        version: '8.5.0',
        family: '8',
        rights: null,
        concurrency: 4,
        problem: null,
        check: { state: 'accepted', problem: null },
        checkedAt: '2026-11-23T10:00:00.000Z',
        connectedAt: '2026-11-23T09:00:00.000Z',
      },
    ],
  })
export type Connection = z.infer<typeof Connection>

const none = { url: null, username: null, version: null, family: null, rights: null, problem: null }
const disconnected: Connection = {
  ...none,
  id: null,
  state: 'disconnected',
  concurrency: null,
  check: null,
  checkedAt: null,
  connectedAt: null,
}

export const readConnection = async (db: Database, accountId: string): Promise<Connection> => {
  const found = await connections.findActive(db, accountId)
  if (found === undefined) return disconnected
  const candidate = await connections.findCandidate(db, accountId, found.id)
  const { id, url, username, version, family, rights, concurrency, problem } = found
  const isFirst = found.state === 'disconnected' && candidate?.state === 'checking'
  const state = isFirst ? 'checking' : found.state
  const check = candidate === undefined ? null : { state: candidate.state, problem: candidate.problem }
  const [checkedAt, connectedAt] = [instantOrNull(found.checkedAt), instantOrNull(found.connectedAt)]
  return { id, state, url, username, version, family, rights, concurrency, problem, check, checkedAt, connectedAt }
}

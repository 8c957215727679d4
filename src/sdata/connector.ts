import { isFairleadError } from '../domain/errors.ts'
import type { CallOptions, Crm, CrmConnector, CrmIdentity } from '../domain/crm.ts'
import { createClient, type Client, type ClientOptions, type Log } from './http/client.ts'
import { readPeopleByEmail } from './email.ts'
import { readFields } from './field.ts'
import { readConversions } from './conversion.ts'
import { createHostGuard } from '../http/host.ts'
import { identify } from './login.ts'
import { readKeyAt, readLatestChange, readTotal } from './mark.ts'
import { readKeys, readPeople, readPeopleById } from './people.ts'
import { createNote } from './note/create.ts'
import { readNotes } from './note/read.ts'
import { findRoot } from './http/probe.ts'
import { kinds } from './http/query.ts'
import { createMemory, type Session } from './session.ts'
import { completeUrl } from './http/url.ts'
import { readChoices } from './values/picklist.ts'
import { updateBatch } from './write/batch.ts'
import { createLead } from './write/create.ts'
import { updatePerson } from './write/update.ts'

export type ConnectorOptions = {
  /** the longest that one request may take, its whole answer included */
  timeoutMs: number
  /** CRM_ALLOWED_HOSTS: comma list of names, `*.example.com`, `*` */
  allowedHosts: string
  /** back-off before each of the quick repetitions inside one call; the workflow repeats further */
  quickRetryMs?: number[]
  log?: Log
}

const openCrm = (url: string, options: ClientOptions): Crm => {
  const client: Client = createClient(options)
  let finding: Promise<void> | null = null

  const find = async (call: CallOptions): Promise<void> => {
    const roots = completeUrl(url)
    client.habits.root = roots.length === 1 ? roots[0]! : await findRoot(client, roots, call)
  }

  const session: Session = {
    client,
    memory: createMemory(),
    path: (entity) => `slx/dynamic/-/${kinds[entity]}`,
    async ready(call) {
      if (client.habits.root !== null) return
      finding ??= find(call).finally(() => {
        finding = null
      })
      await finding
    },
  }

  const check = async (call: CallOptions): Promise<CrmIdentity> => {
    client.habits.root = await findRoot(client, completeUrl(url), call)
    return identify(client, options.username, call)
  }

  const taken = async <Result>(change: Promise<Result>): Promise<Result> => {
    const result = await change
    session.memory.writes.at = performance.now()
    return result
  }

  return {
    check: (call = {}) => client.alone(() => check({ priority: 'interactive', ...call })),
    fields: (entity, call = {}) => readFields(session, entity, call),
    choices: (picklist, call = {}) => readChoices(session, picklist, call),
    total: (entity, call = {}) => readTotal(session, entity, call),
    latestChange: (entity, call = {}) => readLatestChange(session, entity, call),
    keyAt: (entity, offset, call = {}) => readKeyAt(session, entity, offset, call),
    people: (entity, fields, range, call = {}) => readPeople(session, entity, fields, range, call),
    keys: (entity, range, call = {}) => readKeys(session, entity, range, call),
    peopleById: (entity, fields, ids, call = {}) => readPeopleById(session, entity, fields, ids, call),
    peopleByEmail: (entity, fields, emails, call = {}) => readPeopleByEmail(session, entity, fields, emails, call),
    createLead: (fields, changes, call = {}) => taken(createLead(session, fields, changes, call)),
    update: (entity, fields, person, changes, call = {}) =>
      taken(updatePerson(session, { entity, fields, person, changes }, call)),
    updateMany: async (entity, fields, items, call = {}) => {
      const changes = items.map(({ person, changes }) => ({ entity, fields, person, changes }))
      const answers = await updateBatch(session, changes, call)
      if (answers?.some((answer) => !isFairleadError(answer))) session.memory.writes.at = performance.now()
      return answers
    },
    createNote: (note, call = {}) => taken(createNote(session, note, call)),
    notesOf: (entity, crmIds, range, call = {}) => readNotes(session, entity, crmIds, range, call),
    wroteMsAgo: () => performance.now() - session.memory.writes.at,
    batchable: () => session.memory.writes.batch,
    skewMs: () => client.skew()?.likely ?? null,
    conversions: (leadIds, call = {}) => readConversions(session, leadIds, call),
    close: () => client.close(),
  }
}

/** Infor CRM over SData, for servers of the 7.5.4 and 8 families. `open` makes no request; see docs/sdata.md for what is relied on. */
export const sdataConnector = ({
  timeoutMs,
  allowedHosts,
  quickRetryMs = [150, 600],
  log,
}: ConnectorOptions): CrmConnector => {
  const checkHost = createHostGuard(allowedHosts)
  return {
    open: ({ url, username, password }, budget) =>
      openCrm(url, {
        username,
        password,
        timeoutMs,
        checkHost,
        budget,
        quickRetryMs,
        log,
      }),
  }
}

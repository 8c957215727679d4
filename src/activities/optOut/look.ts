import { findFields } from '../../db/connection.ts'
import { emailHexOf, hashKeyOf } from '../../db/emailKey.ts'
import * as work from '../../db/optOut/work.ts'
import type { Pusher } from '../../db/optOut/wake.ts'
import type { CallOptions, Crm, CrmEntity, CrmField, CrmFound } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import { groupBy } from '../../domain/groupBy.ts'
import type { Dependencies } from '../dependencies.ts'

export type Of = { deps: Dependencies; pusher: Pusher; crm: Crm; options: CallOptions }
export type Target = { row: work.Due; entity: CrmEntity; person: CrmFound }
export type Seen = {
  fields: Record<CrmEntity, CrmField[]>
  targets: Target[]
  /** hashes of addresses of people who are there and do not come */
  hidden: Set<string>
}

const entities = ['contact', 'lead'] as const
const needed = new Set(['Email', 'DoNotEmail', 'DoNotSolicit'])

/** What is read and written of a person; a CRM whose entity has no DoNotEmail shows none. */
export const hasField = (fields: readonly CrmField[]): boolean => fields.some(({ name }) => name === 'DoNotEmail')

const fieldsOf = async ({ deps, pusher }: Of): Promise<Seen['fields']> => {
  const read = async (entity: CrmEntity): Promise<CrmField[]> => {
    const live = (await findFields(deps.db, pusher.accountId, entity))?.fields ?? []
    return live.filter(({ name }) => needed.has(name))
  }
  return { contact: await read('contact'), lead: await read('lead') }
}

/**
 * People whom our records with the address are linked to, although the CRM has another address of them: a mail to the address would reach them. They are
 * given free only if their address in the CRM is not opted out itself.
 */
const byLink = async (
  of: Of,
  rows: ReadonlyMap<string, work.Due>,
  fields: Seen['fields'],
  known: ReadonlySet<string>,
) => {
  const { deps, pusher, crm, options } = of
  const links = await work.linked(deps.db, pusher, [...rows.keys()])
  const found: Target[] = []
  for (const entity of entities) {
    const open = links.filter((each) => each.entity === entity && !known.has(`${entity}:${each.crmId}`))
    if (open.length === 0) continue
    const ids = [...new Set(open.map(({ crmId }) => crmId))]
    const people = (await crm.peopleById(entity, fields[entity], ids, options)).rows
    const byId = new Map(people.map((person) => [person.id, person]))
    for (const { emailKey, crmId } of open) {
      const person = byId.get(crmId)
      if (person !== undefined) found.push({ row: rows.get(emailKey)!, entity, person })
    }
  }
  const hashKey = await hashKeyOf(deps.db, deps.secrets, pusher.accountId)
  const keyOf = ({ person }: Target): string => emailHexOf(hashKey, person.values['Email'])
  const freed = found.filter(({ row }) => !row.doNotEmail)
  const out = await work.optedOut(
    deps.db,
    pusher.accountId,
    freed.map(keyOf).filter((key) => key !== ''),
  )
  return found.filter((each) => each.row.doNotEmail || !out.has(keyOf(each)))
}

/** Everybody in the CRM whom the addresses concern, in a handful of requests for all of them. */
export const look = async (of: Of, due: readonly work.Due[]): Promise<Seen> => {
  const { deps, pusher, crm, options } = of
  const fields = await fieldsOf(of)
  const rows = new Map(due.map((row) => [row.emailKey, row]))
  const hashKey = await hashKeyOf(deps.db, deps.secrets, pusher.accountId)
  const emails = due.map(({ email }) => normaliseEmail(email)!)
  const targets: Target[] = []
  const hidden = new Set<string>()
  const read = async (entity: CrmEntity): Promise<void> => {
    const found = await crm.peopleByEmail(entity, fields[entity], emails, options)
    const people = groupBy(found.rows, ({ values }) => emailHexOf(hashKey, values['Email']))
    for (const [key, row] of rows) for (const person of people.get(key) ?? []) targets.push({ row, entity, person })
    for (const email of found.hidden) hidden.add(emailHexOf(hashKey, email))
  }
  await Promise.all(entities.filter((entity) => fields[entity].length > 0).map(read))
  const known = new Set(targets.map(({ entity, person }) => `${entity}:${person.id}`))
  targets.push(...(await byLink(of, rows, fields, known)))
  return { fields, targets, hidden }
}

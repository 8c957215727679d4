import { isNewLead, movedTo, newLeadsOf, writtenTo } from '../../db/sync/preview.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import type { Crm, CrmFound, CrmValue } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Dependencies } from '../dependencies.ts'

/** A CRM that takes every change as it is, and sends none. */
export const pretending = (crm: Crm): Crm => ({
  ...crm,
  batchable: () => false,
  updateMany: async () => null,
  createLead: async () => {
    throw new FairleadError('internal', { detail: 'a preview creates nobody' })
  },
  update: async (_entity, _fields, person, changes) => {
    const { values = {} } = person as Partial<CrmFound>
    return { ...person, values: { ...values, ...changes } }
  },
})

const newLead = (id: string, values: Record<string, CrmValue>): CrmFound => ({
  id,
  values,
  etag: null,
  addressKey: null,
})

/** The CRM as a preview would have left it by now (S8): nothing goes out, and later steps see what the earlier ones would have written. */
export const foreseen = (crm: Crm, { db }: Pick<Dependencies, 'db'>, plan: SyncPlan): Crm => ({
  ...pretending(crm),
  peopleById: async (entity, fields, ids, options) => {
    const written = await writtenTo(db, plan, entity, ids)
    const found = await crm.peopleById(
      entity,
      fields,
      ids.filter((id) => !isNewLead(id)),
      options,
    )
    const made = ids.filter(isNewLead).map((id) => newLead(id, written.get(id) ?? {}))
    const rows = found.rows.map((person) => ({ ...person, values: { ...person.values, ...written.get(person.id) } }))
    return { ...found, rows: [...rows, ...made] }
  },
  peopleByEmail: async (entity, fields, emails, options) => {
    const found = await crm.peopleByEmail(entity, fields, emails, options)
    const known = new Set(found.rows.map(({ id }) => id))
    const moved = (await movedTo(db, plan, entity, emails)).filter((id) => !known.has(id))
    const came = moved.length === 0 ? [] : (await crm.peopleById(entity, fields, moved, options)).rows
    const people = [...found.rows, ...came]
    const ids = people.map(({ id }) => id)
    const written = await writtenTo(db, plan, entity, ids)
    const wanted = new Set(emails)
    const rows = people
      .map((person) => ({ ...person, values: { ...person.values, ...written.get(person.id) } }))
      .filter(
        ({ id, values }) => !('Email' in (written.get(id) ?? {})) || wanted.has(normaliseEmail(values['Email']) ?? ''),
      )
    if (entity !== 'lead') return { ...found, rows }
    const made = (await newLeadsOf(db, plan, emails)).map(({ crmId, values }) => newLead(crmId, values))
    return { ...found, rows: [...rows, ...made] }
  },
})

import type { Outcome } from '../../db/submission/settle.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { isBlank } from '../../domain/values.ts'
import { leftOutOf } from '../sync/address.ts'
import { draft, hasAll } from '../sync/create.ts'
import { createLead } from './create.ts'
import { later, outcome, toPerson, writeAll, type Item } from './write.ts'

/** What a new lead gets: what the submission said, and what the record of the list has besides; what was there first where the policy says so. */
const forLead = ({ row, values, submission }: Item): SyncRow => {
  const known = Object.fromEntries(Object.entries(row?.fields ?? {}).filter(([, value]) => !isBlank(value)))
  const fields = submission.push.policy === 'overwrite' ? { ...known, ...values } : { ...values, ...known }
  const nobody = { entity: null, crmId: null, version: 0, removed: false, state: null, agreed: {} }
  return { ...(row ?? { id: submission.recordId, ...nobody }), fields }
}

const create = async (item: Item, warnings: EntryWarning[]): Promise<Outcome> => {
  const { question, email, resolvedAt } = item
  const created = await createLead(question, forLead(item), { email, resolvedAt })
  if (created.kind === 'later') return later(item, { results: [], warnings }, created.afterMs, 'beingCreated')
  if (created.kind === 'erased') return outcome(item, 'rejected', 'erased', { results: [], warnings: [] })
  if (created.kind === 'found') return writeAll(item, created.people, warnings)
  if (created.kind === 'missing') {
    const missing = created.fields.map((field) => ({ code: 'requiredMissing', field }))
    return outcome(item, 'rejected', 'requiredMissing', { results: [], warnings: [...warnings, ...missing] })
  }
  const { made, person } = created
  const lost = made.fields.filter(({ name }) => name in made.changes && person.values[name] === undefined)
  const said = [...warnings, ...made.warnings, ...lost.map(({ name }) => ({ code: 'fieldMissing', field: name }))]
  const fields = Object.keys(made.changes)
  return outcome(item, 'pushed', null, {
    results: [{ entity: 'lead', id: person.id, kind: 'created', fields }],
    warnings: said,
    person: toPerson({ entity: 'lead', person }),
  })
}

/** R7: the only lead with the address came of a request of ours that had no answer, and has what was sent. */
const recognised = (item: Item): Outcome | undefined => {
  const [only, ...others] = item.found
  if (!item.unanswered || only?.entity !== 'lead' || others.length > 0) return undefined
  const made = draft(item.question.plan, forLead(item))
  if (!hasAll(made, only.person)) return undefined
  return outcome(item, 'pushed', null, {
    results: [{ entity: 'lead', id: only.person.id, kind: 'created', fields: Object.keys(made.changes) }],
    warnings: made.warnings,
    person: toPerson(only),
  })
}

/** F2, R29 for one submission. Throws what it is not to blame for. */
export const pushOne = async (item: Item): Promise<Outcome> => {
  const { plan } = item.question
  if (item.email === '') return outcome(item, 'rejected', 'noEmail', { results: [], warnings: [] })
  // where others with the address have come they are written to first
  if (item.hidden && item.found.length === 0) throw new FairleadError('crmFailed')
  const names = new Map(plan.leftOut.map(({ key, name }) => [key, name]))
  const left = leftOutOf(plan, { fields: item.values }).map((each) => ({ ...each, field: names.get(each.field!)! }))
  if (plan.sync.unmappedAddress === 'reject' && left.some(({ code }) => code === 'addressNotMapped'))
    return outcome(item, 'rejected', 'addressNotMapped', { results: [], warnings: left })
  const known = recognised(item)
  if (known !== undefined) return { ...known, warnings: [...known.warnings, ...left] }
  return item.found.length > 0 ? writeAll(item, item.found, left) : create(item, left)
}

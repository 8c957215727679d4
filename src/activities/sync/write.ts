import type { CrmChanges, CrmEntity, CrmFound, CrmWarning } from '../../domain/crm.ts'
import { decide, fit, type Decision, type SyncColumn } from '../../domain/decide.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { keptOf as keptValues } from '../../domain/list.ts'
import type { Candidate } from '../../domain/match.ts'
import { changedSince, comparedWith, neverCompared, withReply, type Outcome } from '../../domain/push.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { isEdited } from '../../domain/sync.ts'
import { isBlank, sameValue } from '../../domain/values.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import { refusedAddress, refusesValues } from './address.ts'
import { judgeGone } from './gone.ts'
import type { Job, Question } from './job.ts'

export const keptOf = (plan: SyncPlan, { values }: Pick<CrmFound, 'values'>): Pick<Outcome, 'kept'> =>
  plan.own === null ? { kept: keptValues(plan, values) } : {}

/** Field name → value of what must go out. */
export const namedBy = (columns: readonly SyncColumn[], send: Decision['send']): CrmChanges =>
  Object.fromEntries(columns.flatMap(({ key, field }) => (send[key] ? [[field.name, send[key].value]] : [])))

export const reread = async (
  { crm, plan, options, say }: Question,
  entity: CrmEntity,
  id: string,
): Promise<CrmFound | undefined> => {
  const { rows, warnings } = await crm.peopleById(entity, plan.of[entity].fields, [id], options)
  say?.(warnings)
  return rows[0]
}

/** A field that was sent and is not in the reply: nobody knows whether it arrived. */
export const unsaid = (columns: readonly SyncColumn[], send: Decision['send'], { values }: CrmFound): CrmWarning[] =>
  columns
    .filter(({ key, field }) => send[key] !== undefined && values[field.name] === undefined)
    .map(({ field }) => ({ code: 'fieldAbsent', field: field.name, count: 1 }))

/** R4, `all`: the ticked values, as they were decided, for everybody else with the address; who was written to, or could not be, is said on the entry. */
const writeOthers = async (
  question: Question,
  values: SyncRow['fields'],
  others: Candidate[],
): Promise<EntryWarning[]> => {
  const { crm, plan, options } = question
  const written: string[] = []
  const fields = new Set<string>()
  const failed: string[] = []
  for (const { entity, person } of others) {
    const changes: CrmChanges = {}
    for (const { key, field, pushed, clears } of plan.of[entity].columns) {
      const own = values[key]
      const theirs = person.values[field.name]
      if (!pushed || theirs === undefined || own === undefined || (isBlank(own) && !clears)) continue
      const { value } = fit(field, own)
      if (!sameValue(value, theirs)) changes[field.name] = value
    }
    if (Object.keys(changes).length === 0) continue
    const send = (to: CrmFound): Promise<CrmFound> => crm.update(entity, plan.of[entity].fields, to, changes, options)
    try {
      await send(person).catch(async (error: unknown) => {
        // often by the record's own twin on this list, a moment ago
        const again =
          isFairleadError(error) && error.code === 'crmChanged' ? await reread(question, entity, person.id) : undefined
        if (again === undefined) throw error
        return send(again)
      })
      written.push(person.id)
      for (const { key, field } of plan.of[entity].columns) if (field.name in changes) fields.add(key)
    } catch (error) {
      // nobody else's trouble costs the record itself (R22)
      if (!isFairleadError(error) || options.signal?.aborted) throw error
      failed.push(person.id)
    }
  }
  return [
    ...(written.length > 0 ? [{ code: 'alsoWritten', ids: written, fields: [...fields] }] : []),
    ...(failed.length > 0 ? [{ code: 'otherNotWritten', ids: failed }] : []),
  ]
}

const noField = { lead: 'noFieldOnLead', contact: 'noFieldOnContact' } as const

const warningsOf = ({ plan }: Question, { row, person, others, isNew }: Job & { kind: 'write' }): EntryWarning[] => {
  const { entity } = person
  const rivals = others.filter((other) => other.entity === entity)
  const known = new Set(plan.of[entity].columns.map(({ key }) => key))
  // values to be sent that somebody of the other entity has no field for
  const homeless = plan.columns.filter(
    ({ key, pushed }) => pushed && !known.has(key) && (isNew ? !isBlank(row.fields[key]) : isEdited(row.agreed[key])),
  )
  return [
    ...(isNew && rivals.length > 0 ? [{ code: 'otherMatches', ids: rivals.map((rival) => rival.person.id) }] : []),
    ...homeless.map(({ field }) => ({ code: noField[entity], field: field.name })),
  ]
}

/**
 * Writes what must go out to the person that a record is, if nobody changed it since it was read: then it is read once more and decided again. A
 * person who is not there any more is judged (R16).
 */
export const writePerson = async (question: Question, job: Job & { kind: 'write' }): Promise<Outcome> => {
  const { crm, plan, options } = question
  const { row, isNew } = job
  const { entity } = job.person
  const { columns, fields } = plan.of[entity]
  const rule = { conflict: plan.sync.conflict, skewMs: crm.skewMs() ?? 0 }
  const ours = isNew ? neverCompared(columns, row, new Date().toISOString()) : row
  const link = isNew ? { link: { entity, id: job.person.person.id } } : {}
  let { person } = job.person
  for (let tried = 0; ; tried += 1) {
    const decision = decide(columns, ours, person.values, rule)
    const warnings = [...warningsOf(question, job), ...decision.warnings]
    const told = isNew ? { compared: comparedWith(columns, person.values) } : {}
    const outcome = { record: row, decision, columns, warnings, ...link, ...told, ...keptOf(plan, person) }
    const takes = Object.keys(decision.changes).length > 0
    const sends = Object.keys(decision.send).length > 0
    try {
      const toOthers = async (): Promise<void> => {
        if (plan.sync.ambiguousMatch !== 'all') return
        // only what goes out now travels (R11): what others were told before, and what waits, is not told again
        const isNews = ([key]: [string, unknown]): boolean =>
          isNew || key in decision.send || (isEdited(row.agreed[key]) && !(key in decision.agreed))
        const news = Object.fromEntries(Object.entries({ ...row.fields, ...decision.patch }).filter(isNews))
        warnings.push(...(await writeOthers(question, news, job.others)))
      }
      if (!sends) {
        await toOthers()
        if (isNew && !plan.sync.push.updateExisting) return { ...outcome, kind: 'skipped', code: 'existsNotUpdated' }
        if (isNew) return { ...outcome, kind: takes ? 'updated' : 'unchanged', code: 'linkedByEmail' }
        return { ...outcome, kind: takes ? 'updated' : 'unchanged', code: null }
      }
      if (refusesValues(plan, row)) return refusedAddress(plan, row)
      const stored = await crm.update(entity, fields, person, namedBy(columns, decision.send), options)
      const sent = { send: decision.send, stored: stored.values }
      question.say?.(unsaid(columns, decision.send, stored))
      await toOthers()
      const settled = withReply(decision, columns, ours, stored.values)
      const code = isNew ? 'linkedByEmail' : null
      return { ...outcome, decision: settled, kind: 'updated', code, sent, ...keptOf(plan, stored) }
    } catch (error) {
      if (!isFairleadError(error)) throw error
      if (error.code === 'crmChanged' && plan.source?.as === 'preview') return changedSince(row)
      if (error.code === 'crmChanged' && tried === 0) {
        const again = await reread(question, entity, person.id)
        if (again !== undefined) {
          person = again
          continue
        }
      }
      if (error.code === 'crmNotFound' || (error.code === 'crmChanged' && tried === 0)) {
        const keys = await crm.peopleById(entity, [], [person.id], options)
        // its key answers and it cannot be written: the CRM's failure, tried a few times like any other
        if (keys.rows.length > 0) throw new FairleadError('crmFailed', { crm: error.details.crm, cause: error })
        if (isNew) return { record: row, kind: 'delayed', code: null, warnings: [] }
        const [gone] = await judgeGone(question, entity, [person.id])
        return { record: row, kind: 'skipped', code: null, warnings: [], gone }
      }
      if (error.code === 'crmChanged') return { record: row, kind: 'skipped', code: 'crmChanged', warnings: [] }
      throw error
    }
  }
}

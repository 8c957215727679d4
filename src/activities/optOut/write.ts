import type { CrmEntity, CrmFound } from '../../domain/crm.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { truthy } from '../../domain/truthy.ts'
import { withCrm } from '../crm.ts'
import { isEverybodys, proving } from '../proof.ts'
import { isRefusal } from '../refusal.ts'
import { hasField, type Of, type Seen, type Target } from './look.ts'

/** What the CRM said of one person: confirmed, gone meanwhile, or why not. */
export type Said = { wrote: boolean; at: string } | 'gone' | { error: FairleadError }

/** So many who fail, and nobody who does not, are no single people. */
const mostFailing = 5
const mostReads = 4
const batchSize = 25
const leastBatch = 20

const isSo = ({ row }: Target, person: Pick<CrmFound, 'values'>): boolean =>
  truthy(person.values['DoNotEmail']) === row.doNotEmail
const done = (wrote: boolean): Said => ({ wrote, at: new Date().toISOString() })
const changesOf = ({ row }: Target) => ({ DoNotEmail: row.doNotEmail })

const changedMeanwhile = (error: unknown): boolean =>
  isFairleadError(error) && (error.code === 'crmChanged' || error.code === 'crmNotFound')

/** One person, read again when somebody else changed them. */
const writeOne = async ({ crm, options }: Of, { fields }: Seen, target: Target): Promise<Said> => {
  const { entity } = target
  let person = target.person
  for (let tried = 1; ; tried += 1) {
    try {
      const stored = await crm.update(entity, fields[entity], person, changesOf(target), options)
      if (stored.values['DoNotEmail'] !== undefined && !isSo(target, stored)) throw new FairleadError('optOutNotKept')
      return done(true)
    } catch (error) {
      if (!changedMeanwhile(error) || tried >= mostReads) throw error
      const [now] = (await crm.peopleById(entity, fields[entity], [person.id], options)).rows
      if (now === undefined) return 'gone'
      if (isSo(target, now)) return done(false)
      person = now
    }
  }
}

/** Twenty-five at a time where the CRM is faster that way; answers those that are to be written one by one. */
const writeMany = async (
  of: Of,
  seen: Seen,
  entity: CrmEntity,
  open: Target[],
  said: Map<Target, Said>,
): Promise<Target[]> => {
  if (open.length < leastBatch || of.crm.batchable() === false) return open
  const left: Target[] = []
  for (let at = 0; at < open.length; at += batchSize) {
    const part = open.slice(at, at + batchSize)
    const items = part.map((target) => ({ person: target.person, changes: changesOf(target) }))
    const answers =
      part.length < leastBatch ? null : await of.crm.updateMany(entity, seen.fields[entity], items, of.options)
    if (answers === null) left.push(...part)
    // who failed is tried alone, which tells why
    for (const [index, answer] of (answers ?? []).entries()) {
      const target = part[index]!
      const confirmed = !isFairleadError(answer) && truthy(answer.values['DoNotEmail']) === target.row.doNotEmail
      if (confirmed) said.set(target, done(true))
      else left.push(target)
    }
  }
  return left
}

/** R21: a refusal is a missing right only when the login is still accepted. */
const judge = async ({ deps, pusher }: Of, error: FairleadError): Promise<FairleadError> => {
  if (!isRefusal(error)) return error
  const { accountId, connectionId } = pusher
  const verdict = await withCrm(deps, accountId, connectionId, () => Promise.reject(error)).catch(
    (found: unknown) => found,
  )
  if (isFairleadError(verdict)) return verdict
  throw verdict
}

/**
 * DoNotEmail of everybody, as it is to be; a person who has it so is not written. Answers what the CRM said of each, and what everybody's opt-outs wait
 * for, if anything: then who was not reached is missing.
 */
export const writeAll = async (of: Of, seen: Seen, width: number) => {
  const said = new Map<Target, Said>()
  const open: Target[] = []
  for (const target of seen.targets) {
    if (isSo(target, target.person)) said.set(target, done(false))
    else if (hasField(seen.fields[target.entity])) open.push(target)
    else said.set(target, { error: new FairleadError('noDoNotEmail') })
  }
  const end: { stopped?: FairleadError } = {}
  const proveOthers = proving(of)
  const failing = new Set<string>()
  let hasWorked = false
  const isOwn = async ({ entity, row: { id } }: Target, error: FairleadError): Promise<boolean> => {
    if (error.kind !== 'transient' || error.code === 'leaseLost') return error.kind !== 'held'
    if (isEverybodys(error)) return false
    if (failing.add(id).size >= mostFailing && !hasWorked) return false
    return proveOthers(entity, error).then(
      () => true,
      () => false,
    )
  }
  const attempt = async (target: Target): Promise<void> => {
    try {
      said.set(target, await writeOne(of, seen, target))
      hasWorked = true
    } catch (thrown) {
      if (!isFairleadError(thrown) || of.options.signal?.aborted === true) throw thrown
      const error = await judge(of, thrown)
      if (await isOwn(target, error)) said.set(target, { error })
      else end.stopped ??= error
    }
  }
  const queue: Target[] = []
  for (const entity of ['contact', 'lead'] as const) {
    const ofEntity = open.filter((each) => each.entity === entity)
    try {
      queue.push(...(await writeMany(of, seen, entity, ofEntity, said)))
    } catch (error) {
      if (!isFairleadError(error)) throw error
      queue.push(...ofEntity.filter((each) => !said.has(each)))
    }
  }
  hasWorked = [...said.values()].some((each) => each !== 'gone' && 'wrote' in each && each.wrote)
  // who has failed before lets the others go first
  queue.sort((a, b) => a.row.tries - b.row.tries)
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined && end.stopped === undefined; next = queue.shift())
      await attempt(next)
  }
  await Promise.all(Array.from({ length: Math.max(1, width) }, worker))
  return { said, stopped: end.stopped }
}

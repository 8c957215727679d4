import type { Due, Outcome } from '../../db/optOut/work.ts'
import { FairleadError } from '../../domain/errors.ts'
import { groupBy } from '../../domain/groupBy.ts'
import { withEarlier, type OptOutResult } from '../../domain/optOut.ts'
import { truthy } from '../../domain/truthy.ts'
import { backOffMs, mostTries } from '../proof.ts'
import { look, type Of, type Seen, type Target } from './look.ts'
import { writeAll, type Said } from './write.ts'

const longestBackOffMs = 60_000

const rejected = (row: Due, code: string): Outcome => ({
  row,
  state: 'rejected',
  code,
  results: row.results,
  tries: row.tries,
  afterMs: 0,
  clears: false,
})

/** What passes by is tried again, the others with it; else what was refused of one person is said, and who could be written is written. */
const outcomeOf = (
  row: Due,
  targets: readonly Target[],
  said: ReadonlyMap<Target, Said>,
  isHidden: boolean,
): Outcome => {
  const now: OptOutResult[] = []
  const errors: FairleadError[] = []
  for (const target of targets) {
    const told = said.get(target)
    if (told === undefined || told === 'gone') continue
    if ('error' in told) errors.push(told.error)
    else now.push({ entity: target.entity, id: target.person.id, ...told })
  }
  const results = withEarlier(row.results, now)
  const about = { ...rejected(row, ''), results }
  const refused = errors.find(({ kind }) => kind !== 'transient')
  const passing = errors.find(({ kind }) => kind === 'transient')
  const tries = row.tries + 1
  const again = { ...about, state: 'waiting' as const, tries, afterMs: backOffMs(tries, longestBackOffMs) }
  if (passing !== undefined) return { ...again, code: passing.code, crm: passing.details.crm }
  if (isHidden && tries < mostTries) return { ...again, code: 'unreadableRecord' }
  if (refused !== undefined) return { ...about, code: refused.code, crm: refused.details.crm }
  if (isHidden) return { ...about, code: 'unreadableRecord' }
  const clears = !row.doNotEmail && !targets.some(({ person }) => truthy(person.values['DoNotSolicit']))
  return { ...about, state: 'written', code: null, clears }
}

const isReached = (targets: readonly Target[], said: ReadonlyMap<Target, Said>): boolean =>
  targets.every((target) => said.has(target))

/**
 * A batch of opt-outs and consents: who is meant, then who is not so yet. Answers what came of those that were reached, and what the others wait for. Throws
 * what the looking up throws.
 */
export const pushBatch = async (
  of: Of,
  due: readonly Due[],
  width: number,
): Promise<{ outcomes: Outcome[]; stopped: FairleadError | undefined }> => {
  const known = due.filter(({ email }) => email !== null)
  const gone = due.filter(({ email }) => email === null).map((row) => rejected(row, 'erased'))
  if (known.length === 0) return { outcomes: gone, stopped: undefined }
  const seen: Seen = await look(of, known)
  if (seen.fields.contact.length + seen.fields.lead.length === 0) throw new FairleadError('entityDisabled')
  const { said, stopped } = await writeAll(of, seen, width)
  const byRow = groupBy(seen.targets, ({ row }) => row.id)
  const reached = known.filter((row) => isReached(byRow.get(row.id) ?? [], said))
  const outcomes = reached.map((row) => outcomeOf(row, byRow.get(row.id) ?? [], said, seen.hidden.has(row.emailKey)))
  return { outcomes: [...gone, ...outcomes], stopped }
}

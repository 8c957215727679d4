import * as claims from '../../db/note/claim.ts'
import { settle, type Outcome, type Settling } from '../../db/note/settle.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { noteText } from '../../domain/note.ts'
import { isEnough, isEverybodys, isUnsure, proving, retryMs, type ProveOthers } from '../proof.ts'
import { judged, type Refuse } from '../refusal.ts'
import { piling } from '../pile.ts'
import type { Asking, Job } from './resolve.ts'

/** Notes that are marked together before they go out: no slot waits for a commit. */
const chunkSize = 40
/** A mark counts as the time of sending for so long; who comes later is marked anew. */
const freshMs = 1500
/** So many left keep every slot at work while the next page is looked up. */
const fewLeft = 60

export type Sending = Asking & {
  of: Settling
  userId: string | null
  linkOf: (token: string) => string
  width: number
  /** nothing new is begun */
  stopped: () => boolean
  refuse: Refuse
  /** marked, and certainly not carried out */
  marked: Set<string>
}

/** Stores outcomes as they come. */
export const storing = ({ deps, of }: Pick<Sending, 'deps' | 'of'>) =>
  piling<Outcome>((outcomes) => settle(deps.db, of, outcomes))

type Store = ReturnType<typeof storing>

const marking = ({ deps, of, marked }: Sending, jobs: readonly Job[]) => {
  const chunks: (Promise<{ at: number; mine: Set<string> }> | undefined)[] = []
  const waitMs = deps.creationWaitMs + freshMs
  const mark = async (some: readonly Job[]): Promise<{ at: number; mine: Set<string> }> => {
    const at = Date.now()
    const rows = some.map(({ note, person }) => ({ id: note.id, entity: person.entity, crmId: person.id }))
    const mine = await claims.markCreating(deps.db, of.claimId, rows, waitMs)
    for (const id of mine) marked.add(id)
    return { at, mine }
  }
  const chunk = (number: number) => {
    chunks[number] ??= mark(jobs.slice(number * chunkSize, (number + 1) * chunkSize))
    chunks[number].catch(() => undefined)
    return chunks[number]
  }
  return {
    /** false when somebody else has it */
    async isMine(index: number): Promise<boolean> {
      const number = Math.floor(index / chunkSize)
      const own = chunk(number)
      const next = (number + 1) * chunkSize
      if (index % chunkSize >= chunkSize / 2 && next < jobs.length) void chunk(number + 1)
      return (await own).mine.has(jobs[index]!.note.id)
    },
    /** right before the request goes out; throws leaseLost */
    async sending(index: number): Promise<void> {
      const job = jobs[index]!
      const { at } = await chunk(Math.floor(index / chunkSize))
      if (Date.now() - at > freshMs && !(await mark([job])).mine.has(job.note.id)) throw new FairleadError('leaseLost')
      marked.delete(job.note.id)
    },
  }
}

type Failure = { error: FairleadError; isSent: boolean; proveOthers: ProveOthers }

/**
 * What a failure means for a note: it is looked for later, put off, or rejected. Throws what all notes wait for, after `looksLater` has kept what the CRM may
 * have done.
 */
const judge = async (
  sending: Sending,
  { note, person, warnings }: Job,
  { error, isSent, proveOthers }: Failure,
  looksLater: (outcome: Outcome) => void,
): Promise<Outcome> => {
  const { code, kind, details } = error
  const link = { entity: person.entity, id: person.id }
  const said = { id: note.id, code, person: link, warnings, ...(details.crm && { crm: { ...details.crm } }) }
  if (kind === 'record') return { ...said, state: 'rejected', tries: note.tries }
  if (kind !== 'transient') throw error
  const maybe = isSent && isUnsure(error)
  if (code === 'leaseLost') return { ...said, state: maybe ? 'creating' : 'waiting', tries: note.tries, afterMs: 500 }
  if (!maybe && isEverybodys(error)) throw error
  const tries = note.tries + 1
  try {
    await proveOthers(person.entity, error)
  } catch (cause) {
    if (maybe) looksLater({ ...said, state: 'creating', tries: note.tries })
    throw cause
  }
  if (maybe) return { ...said, state: 'creating', tries }
  const { creationWaitMs } = sending.deps
  if (isEnough(tries, sending.crm, creationWaitMs)) return { ...said, code: 'crmFailed', state: 'rejected', tries }
  return { ...said, state: 'waiting', tries, afterMs: retryMs(tries, creationWaitMs) }
}

/** Makes the notes of a page, side by side. Throws what all notes wait for, when nothing is under way any more. */
export const sendAll = async (
  sending: Sending,
  jobs: readonly Job[],
  store: Store,
  onFewLeft: () => void,
): Promise<void> => {
  const marks = marking(sending, jobs)
  const proveOthers = proving(sending)
  let next = 0
  let failed: { error: unknown } | undefined
  const one = async (index: number): Promise<void> => {
    const job = jobs[index]!
    if (!(await marks.isMine(index))) return
    const { note, person, warnings } = job
    const subject = note.subject ?? note.messageName
    let isSent = false
    const options = {
      ...sending.options,
      sending: async () => {
        await marks.sending(index)
        isSent = true
      },
    }
    const text = noteText({
      name: note.messageName,
      subject,
      link: note.token === null ? null : sending.linkOf(note.token),
    })
    const { id: crmId, ...names } = person
    const made = { ...names, crmId, userId: sending.userId, sentAt: note.sentAt, subject, text }
    try {
      const { id: noteId } = await judged(sending.refuse, options.signal, () => sending.crm.createNote(made, options))
      const link = { entity: person.entity, id: crmId }
      store.add({ id: note.id, state: 'written', code: null, noteId, person: link, warnings, tries: note.tries })
    } catch (error) {
      if (!isFairleadError(error)) throw error
      // the CRM has said that it did nothing
      if (isSent && !isUnsure(error)) sending.marked.add(note.id)
      store.add(await judge(sending, job, { error, isSent, proveOthers }, (outcome) => store.add(outcome)))
    }
  }
  const worker = async (): Promise<void> => {
    while (next < jobs.length && failed === undefined && !store.failed() && !sending.stopped()) {
      const index = next
      next += 1
      if (jobs.length - index === fewLeft || (index === 0 && jobs.length < fewLeft)) onFewLeft()
      try {
        await one(index)
      } catch (error) {
        failed ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(sending.width, jobs.length) }, worker))
  if (failed !== undefined) throw failed.error
}

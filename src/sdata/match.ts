import type { CallOptions, CrmEntity } from '../domain/crm.ts'
import { normaliseEmail } from '../domain/email.ts'
import { and, isOneOf, literal } from './http/query.ts'
import { isRefused } from './paging/changed.ts'
import { keyOf, member } from './paging/feed.ts'
import { askFeed, type Session } from './session.ts'
import { spellings, upperVariants } from './values/variant.ts'

/** The condition that finds people by addresses, which come as R2 has them. */
export type EmailForm = (emails: string[]) => string

const isAnyOf = (property: string, values: string[]): string =>
  `(${values.map((value) => `${property} eq ${literal(value)}`).join(' or ')})`

// from the one that depends least on how addresses are stored and compared to the one that every server understands
const forms: EmailForm[] = [
  (emails) => isOneOf('upper(trim(Email))', emails.flatMap(upperVariants)),
  (emails) => isOneOf('upper(Email)', emails.flatMap(upperVariants)),
  (emails) => isAnyOf('upper(Email)', emails.flatMap(upperVariants)),
  (emails) => isOneOf('Email', emails.flatMap(spellings)),
  (emails) => isAnyOf('Email', emails.flatMap(spellings)),
]

type Sample = { emails: string[]; ids: string[]; last: string | null }

const nobody: Sample = { emails: ['nobody@fairlead.invalid'], ids: [], last: null }

/** The first people who have an address. */
const readSample = async (session: Session, entity: CrmEntity, options: CallOptions): Promise<Sample> => {
  const query = { select: ['Id', 'Email'], where: 'Email ne null', orderBy: 'Id', count: 10 }
  try {
    const { rows } = await askFeed(session, session.path(entity), query, options)
    const people = rows.map((row) => ({ id: keyOf(row), email: normaliseEmail(member(row, 'Email')) }))
    const known = people.filter((person): person is { id: string; email: string } => person.email !== null)
    if (known.length === 0) return nobody
    return { emails: known.map(({ email }) => email), ids: known.map(({ id }) => id), last: people.at(-1)!.id }
  } catch (error) {
    if (!isRefused(error)) throw error
    return nobody
  }
}

/** How many of the sample a form finds. */
const tryForm = async (
  session: Session,
  entity: CrmEntity,
  form: EmailForm,
  { emails, ids, last }: Sample,
  options: CallOptions,
): Promise<number> => {
  const where = and(form(emails), last === null ? null : `Id le ${literal(last)}`)
  const query = { select: ['Id', 'Email'], where, orderBy: 'Id', count: 10 }
  const found = new Set((await askFeed(session, session.path(entity), query, options)).rows.map(keyOf))
  return ids.filter((id) => found.has(id)).length
}

/**
 * The form of question that this server understands and answers rightly: each is tried with people who are known to be there. Where none finds all of
 * them, the one that finds most. Throws what the server says when it refuses all.
 */
export const findForm = (session: Session, entity: CrmEntity, options: CallOptions): Promise<EmailForm> =>
  session.memory.emailForms.get(entity, async () => {
    const sample = await readSample(session, entity, options)
    let best: { form: EmailForm; hits: number } | null = null
    let refusal: unknown
    for (const form of forms) {
      try {
        const hits = await tryForm(session, entity, form, sample, options)
        if (hits === sample.ids.length) return form
        if (best === null || hits > best.hits) best = { form, hits }
      } catch (error) {
        if (!isRefused(error)) throw error
        refusal ??= error
      }
    }
    if (best === null) throw refusal
    return best.form
  })

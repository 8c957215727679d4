import type { CallOptions, CrmEntity } from '../domain/crm.ts'
import { normaliseEmail } from '../domain/email.ts'
import { QueryTooLong } from './http/request.ts'
import type { EmailForm } from './match.ts'
import { controlRead, insist } from './paging/control.ts'
import { keyOf, member } from './paging/feed.ts'
import { halves } from './paging/halves.ts'
import { LeftOut, readKeyPage, type KeyPage } from './paging/page.ts'
import { maySplit, type Session } from './session.ts'

/** Somebody who has an address; `id` is null where even the key does not come. */
export type Owner = { email: string; id: string | null }

type Question = { session: Session; entity: CrmEntity; form: EmailForm }

const readOwners = async (question: Question, group: string[], options: CallOptions): Promise<Owner[]> => {
  const { session, entity, form } = question
  const wanted = new Set(group)
  const owners: Owner[] = []
  const part = { entity, select: ['Email'], filter: form(group), kind: 'people' as const, options, count: 1000 }
  for (let after: string | null = null; ;) {
    const page: KeyPage = await readKeyPage(session, { ...part, range: { after, upTo: null } })
    for (const row of page.rows) {
      const email = normaliseEmail(member(row, 'Email'))
      if (email !== null && wanted.has(email)) owners.push({ email, id: keyOf(row) })
    }
    if (page.next === null) return owners
    after = page.next
  }
}

/**
 * Who has the addresses of a group that one request can name, by key and address alone, so that no other property hides a person. The addresses
 * of people who cannot be read even so are found by halving (R22).
 */
export const findOwners = async (question: Question, group: string[], options: CallOptions): Promise<Owner[]> => {
  const { session, entity } = question
  try {
    return await readOwners(question, group, options)
  } catch (error) {
    const mayBeOne = maySplit(error) || error instanceof LeftOut
    if (!mayBeOne && !(error instanceof QueryTooLong && group.length > 1)) throw error
    if (group.length < 2) {
      const owners = await insist(session, { entity }, error, options, () => readOwners(question, group, options))
      return owners ?? group.map((email) => ({ email, id: null }))
    }
    if (mayBeOne) await controlRead(session, { entity }, error, options)
    const [first, rest] = halves(group)
    return [...(await findOwners(question, first, options)), ...(await findOwners(question, rest, options))]
  }
}

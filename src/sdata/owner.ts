import type { CallOptions, CrmEntity } from '../domain/crm.ts'
import { normaliseEmail } from '../domain/email.ts'
import { QueryTooLong } from './http/request.ts'
import type { EmailForm } from './match.ts'
import { controlRead, insist } from './paging/control.ts'
import { keyOf, member, type Row } from './paging/feed.ts'
import { halves } from './paging/halves.ts'
import { LeftOut, readKeyPage, type KeyPage, type PageRequest } from './paging/page.ts'
import { maySplit, type Session } from './session.ts'

/** Somebody who has an address; `id` is null where even the key does not come. */
export type Owner = { email: string; id: string | null }

type Question = { session: Session; entity: CrmEntity; form: EmailForm }

type Part = Omit<PageRequest, 'range'>

/** All rows of a part, and how many the CRM counts beyond them. */
const readWhole = async (session: Session, part: Part): Promise<{ rows: Row[]; left: number }> => {
  const rows: Row[] = []
  let total: number | null = null
  for (let after: string | null = null; ;) {
    const page: KeyPage = await readKeyPage(session, { ...part, range: { after, upTo: null } })
    if (after === null) ({ total } = page)
    rows.push(...page.rows)
    if (page.next === null) return { rows, left: (total ?? 0) - rows.length }
    after = page.next
  }
}

const readOwners = async (question: Question, group: string[], options: CallOptions): Promise<Owner[]> => {
  const { session, entity, form } = question
  const wanted = new Set(group)
  const part: Part = { entity, select: ['Email'], filter: form(group), kind: 'people', options, count: 1000 }
  const { rows, left } = await readWhole(session, part)
  if (left > 0) {
    // a total may be wrong: a key that comes, and whose address does not, is not
    const came = new Set(rows.map(keyOf))
    const keys = await readWhole(session, { ...part, select: [] })
    if (keys.rows.some((row) => !came.has(keyOf(row)))) throw new LeftOut()
  }
  return rows.flatMap((row) => {
    const email = normaliseEmail(member(row, 'Email'))
    return email !== null && wanted.has(email) ? [{ email, id: keyOf(row) }] : []
  })
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

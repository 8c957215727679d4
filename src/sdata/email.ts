import type { CallOptions, CrmEntity, CrmField, CrmFound, CrmPage, CrmWarning } from '../domain/crm.ts'
import { normaliseEmail } from '../domain/email.ts'
import { FairleadError } from '../domain/errors.ts'
import { readPermissions } from './fields/permission.ts'
import { QueryTooLong } from './http/request.ts'
import { findForm, type EmailForm } from './match.ts'
import { member, type Row } from './paging/feed.ts'
import { halves } from './paging/halves.ts'
import { controlRead, insist } from './paging/control.ts'
import { fitsPage, readKeyPage, type KeyPage } from './paging/page.ts'
import { readRows, type Rows } from './people.ts'
import { guardNames, namesOf, toFound, toPeople, visible } from './person.ts'
import { addWarning, maySplit, type Session } from './session.ts'

const maxGroup = 200
// groups of so few are not made smaller for the sake of the properties: those are asked for in parts instead
const fewAddresses = 10
const longestKey = 'Q'.repeat(12)

const emailField: CrmField = {
  name: 'Email',
  label: 'Email',
  type: 'email',
  maxLength: null,
  custom: false,
  readOnly: false,
  required: false,
  locked: true,
  address: false,
  picklist: null,
  picklistStorage: null,
}

type Found = Omit<CrmPage<CrmFound>, 'next'> & { hidden: string[] }
type Question = { session: Session; entity: CrmEntity; fields: CrmField[]; seen: CrmField[]; form: EmailForm }

/** Groups that one request can name, each. */
const toGroups = ({ session, entity, seen, form }: Question, emails: string[]): string[][] => {
  const groups: string[][] = []
  for (let at = 0; at < emails.length; at += maxGroup) groups.push(emails.slice(at, at + maxGroup))
  const fits = (group: string[]): boolean =>
    fitsPage(session, { entity, range: { after: longestKey, upTo: null }, filter: form(group) }, namesOf(seen))
  const split = (group: string[]): string[][] =>
    group.length <= fewAddresses || fits(group) ? [group] : halves(group).flatMap(split)
  return groups.flatMap(split)
}

/**
 * Everybody whom the CRM finds for a group and who has one of its addresses by R2 too. Answers the addresses that somebody was found for; null, having
 * found nobody, where somebody of several addresses does not come, of whom it is not known whose address it is.
 */
const readGroup = async (
  question: Question,
  group: string[],
  into: Found,
  options: CallOptions,
): Promise<string[] | null> => {
  const { session, entity, fields, seen, form } = question
  const wanted = new Set(group)
  const isWanted = (row: Row): boolean => wanted.has(normaliseEmail(member(row, 'Email')) ?? '')
  const people: CrmFound[] = []
  const unreadable: Found['unreadable'] = []
  const emails: (string | null)[] = []
  const warnings: CrmWarning[] = []
  const filter = form(group)
  for (let after: string | null = null; ;) {
    const page: Rows = await readRows(session, { entity, range: { after, upTo: null }, filter }, seen, options)
    const rows = page.rows.filter(isWanted)
    const some = await toPeople(session, { fields, known: page.known }, rows, page.warnings, options)
    people.push(...toFound(some, rows))
    emails.push(...rows.map((row) => normaliseEmail(member(row, 'Email'))))
    unreadable.push(...page.unreadable)
    if (unreadable.length > 0 && group.length > 1) {
      into.unreadable.push(...unreadable)
      return null
    }
    for (const warning of page.warnings) addWarning(warnings, warning)
    if (page.next === null) break
    after = page.next
  }
  for (const warning of warnings) addWarning(into.warnings, warning)
  into.rows.push(...people)
  into.unreadable.push(...unreadable)
  // whoever else has the address is there, and nobody must be taken for the only one
  if (unreadable.length > 0) into.hidden.push(...group)
  return emails.filter((email) => email !== null)
}

/** Which addresses somebody has, by key and address alone, so that no other property hides a person. */
const readOwned = async (question: Question, group: string[], options: CallOptions): Promise<string[]> => {
  const { session, entity, form } = question
  const owned = new Set<string | null>()
  const part = { entity, select: ['Email'], filter: form(group), kind: 'people' as const, options, count: 1000 }
  for (let after: string | null = null; ;) {
    const page: KeyPage = await readKeyPage(session, { ...part, range: { after, upTo: null } })
    for (const row of page.rows) owned.add(normaliseEmail(member(row, 'Email')))
    if (page.next === null) return group.filter((email) => owned.has(email))
    after = page.next
  }
}

/** The same; the addresses of people who cannot be read at all are found by halving (R22). */
const findOwned = async (question: Question, group: string[], options: CallOptions): Promise<string[]> => {
  const { session, entity } = question
  try {
    return await readOwned(question, group, options)
  } catch (error) {
    if (!maySplit(error) && !(error instanceof QueryTooLong && group.length > 1)) throw error
    if (group.length < 2)
      return (await insist(session, { entity }, error, options, () => readOwned(question, group, options))) ?? group
    if (maySplit(error)) await controlRead(session, { entity }, error, options)
    const [first, rest] = halves(group)
    return [...(await findOwned(question, first, options)), ...(await findOwned(question, rest, options))]
  }
}

const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/**
 * `peopleByEmail` of the port (R2). The CRM compares upper case with upper case where it can, so that neither its collation nor blanks hide
 * anybody, and what it finds is compared again here. Pages go by key until one is empty, and addresses without a person are asked for again by
 * themselves: a person who is overlooked would be created twice.
 */
export const readPeopleByEmail = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  emails: string[],
  options: CallOptions,
): Promise<Found> => {
  guardNames(namesOf(fields))
  const wanted = [...new Set(emails.map(normaliseEmail))].filter((email) => email !== null)
  const found: Found = { rows: [], unreadable: [], warnings: [] as CrmWarning[], hidden: [] }
  if (wanted.length === 0) return found
  await session.ready(options)
  const permissions = await readPermissions(session, entity, options)
  if (permissions.get('email') === 'NoAccess')
    throw new FairleadError('crmRefused', {
      detail: 'The CRM user may not see the e-mail addresses, so nobody can be found by them.',
      remedy: 'Give the CRM user access to the property Email.',
      crm: { field: 'Email' },
    })
  const visibleFields = await visible(session, entity, fields, options)
  const hasEmail = visibleFields.some(({ name }) => name.toLowerCase() === 'email')
  const question: Question = {
    session,
    entity,
    fields,
    seen: hasEmail ? visibleFields : [...visibleFields, emailField],
    form: await findForm(session, entity, options),
  }
  const open = new Set(wanted)
  const readAll = async (emails: string[]): Promise<void> => {
    const groups = toGroups(question, emails)
    for (let group = groups.shift(); group; group = groups.shift()) {
      try {
        const some = await readGroup(question, group, found, options)
        if (some === null) groups.unshift(...halves(group))
        for (const email of some ?? []) open.delete(email)
      } catch (error) {
        if (error instanceof QueryTooLong && group.length > 1) groups.unshift(...halves(group))
        // a person who cannot be read, alone on its page: the others are found below
        else if (!maySplit(error)) throw error
      }
    }
  }
  // whom nobody was found for is asked for once more before it is believed; who came meanwhile is read like the others
  const lean = { ...question, seen: [emailField] }
  const askAgain = async (emails: string[]): Promise<string[]> => {
    const owned: string[] = []
    for (const group of toGroups(lean, emails)) owned.push(...(await findOwned(lean, group, options)))
    return owned
  }
  // where somebody waits, both questions are asked at once: it costs the CRM the same, and half the time
  const atOnce = options.priority !== undefined && options.priority !== 'bulk'
  const [again] = await Promise.all([atOnce ? askAgain(wanted) : [], readAll(wanted)])
  const owned = atOnce ? again.filter((email) => open.has(email)) : await askAgain([...open])
  const hidden = new Set(found.hidden)
  for (const email of owned) if (!hidden.has(email)) await readAll([email])
  found.hidden = [...new Set([...found.hidden, ...owned.filter((email) => open.has(email))])]
  found.rows.sort(byId)
  found.unreadable = [...new Map(found.unreadable.map((each) => [each.id, each])).values()]
  return found
}

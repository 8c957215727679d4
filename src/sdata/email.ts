import type { CallOptions, CrmEntity, CrmField, CrmFound, CrmPage, CrmWarning } from '../domain/crm.ts'
import { normaliseEmail } from '../domain/email.ts'
import { FairleadError } from '../domain/errors.ts'
import { readPermissions } from './fields/permission.ts'
import { QueryTooLong } from './http/request.ts'
import { findForm, type EmailForm } from './match.ts'
import { findOwners, type Owner } from './owner.ts'
import { member, type Row } from './paging/feed.ts'
import { halves } from './paging/halves.ts'
import { fitsPage, LeftOut } from './paging/page.ts'
import { leftOut, readRows, readRowsById, type Rows } from './people.ts'
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

/** Adds those of the rows who have one of the addresses by R2 too. Answers their addresses. */
const addPeople = async (
  { session, fields }: Question,
  wanted: Set<string>,
  { rows, known, warnings }: Pick<Rows, 'rows' | 'known' | 'warnings'>,
  into: Found,
  options: CallOptions,
): Promise<string[]> => {
  const emailOf = (row: Row): string => normaliseEmail(member(row, 'Email')) ?? ''
  const own = rows.filter((row) => wanted.has(emailOf(row)))
  into.rows.push(...toFound(await toPeople(session, { fields, known }, own, warnings, options), own))
  for (const warning of warnings) addWarning(into.warnings, warning)
  return own.map(emailOf)
}

/**
 * Everybody whom the CRM finds for a group. Answers the addresses of those who came, where that is everybody: as many as the CRM counts. Else, and where
 * it does not count, none. Somebody whom it leaves out of the rows and of the total alike is not noticed here.
 */
const readGroup = async (question: Question, group: string[], into: Found, options: CallOptions): Promise<string[]> => {
  const { session, entity, seen, form } = question
  const wanted = new Set(group)
  const filter = form(group)
  const emails: string[] = []
  let left: number | null = null
  for (let after: string | null = null; ;) {
    const page: Rows = await readRows(session, { entity, range: { after, upTo: null }, filter }, seen, options)
    if (after === null) left = page.total
    if (left !== null) left -= page.rows.length
    emails.push(...(await addPeople(question, wanted, page, into, options)))
    into.unreadable.push(...page.unreadable)
    if (page.next === null) return left === 0 ? emails : []
    after = page.next
  }
}

/** Reads those of the owners who have not come by their ids. Answers the ids of all who are there to be read, whatever address they have by now. */
const readMissing = async (
  question: Question,
  owners: Owner[],
  into: Found,
  options: CallOptions,
): Promise<Set<string>> => {
  const { session, entity, seen } = question
  const came = new Set(into.rows.map(({ id }) => id))
  const missing = owners.flatMap(({ id }) => (id === null || came.has(id) ? [] : [id]))
  if (missing.length === 0) return came
  const { known, ...found } = await readRowsById(session, entity, seen, missing, options)
  const wanted = new Set(owners.map(({ email }) => email))
  await addPeople(question, wanted, { rows: [...found.rows.values()], known, warnings: [] }, into, options)
  into.unreadable.push(...found.unreadable, ...leftOut(missing, found))
  return new Set([...came, ...found.rows.keys()])
}

const uniqueById = <Item extends { id: string }>(items: Item[]): Item[] => [
  ...new Map(items.map((item) => [item.id, item])).values(),
]

const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/**
 * `peopleByEmail` of the port (R2). The CRM compares upper case with upper case where it can, so that neither its collation nor blanks hide
 * anybody, and what it finds is compared again here. Pages go by key until one is empty, and by key and address alone it is asked again whose the addresses
 * are of which it is not certain that everybody came: a person who is overlooked would be created twice, or somebody else be taken for the only one.
 * Who comes neither way, and is not counted, cannot be seen.
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
        for (const email of await readGroup(question, group, found, options)) open.delete(email)
      } catch (error) {
        if (error instanceof QueryTooLong && group.length > 1) groups.unshift(...halves(group))
        // somebody who does not come and cannot be named: the others are found below
        else if (!maySplit(error) && !(error instanceof LeftOut)) throw error
      }
    }
  }
  // whom nobody was found for is asked for once more before it is believed; who came meanwhile is read like the others
  const lean = { ...question, seen: [emailField] }
  const askAgain = async (emails: string[]): Promise<Owner[]> => {
    const owners: Owner[] = []
    for (const group of toGroups(lean, emails)) owners.push(...(await findOwners(lean, group, options)))
    return owners
  }
  // where somebody waits, both questions are asked at once: it costs the CRM the same, and half the time
  const atOnce = options.priority !== undefined && options.priority !== 'bulk'
  const [again] = await Promise.all([atOnce ? askAgain(wanted) : [], readAll(wanted)])
  const owners = atOnce ? again : await askAgain([...open])
  const came = await readMissing(question, owners, found, options)
  // whose key did not come is believed to be hidden only where the people did not come either
  for (const { email, id } of owners) if (id === null && open.has(email)) await readAll([email])
  const hidden = owners.filter(({ email, id }) => (id === null ? open.has(email) : !came.has(id)))
  found.hidden = [...new Set(hidden.map(({ email }) => email))]
  found.rows = uniqueById(found.rows).sort(byId)
  found.unreadable = uniqueById(found.unreadable)
  return found
}

import { defaultsOf } from '../contracts/defaults.ts'
import { insert, remove } from '../contracts/write.ts'
import type { Property, Row, Values } from '../model.ts'
import { idOf } from '../store.ts'
import { kindNamed, type World } from '../world.ts'
import { fillBlanks, takeAddress, valueOf } from './join.ts'
import { colleague, rowFor } from './rows.ts'

export type ConvertInput = {
  leadId: string
  /** an existing contact that takes the lead in: its blanks are filled */
  contactId?: string
  /** of the new contact; `new` (default) makes one from the lead's Company */
  account?: string
}

const names =
  'Prefix FirstName MiddleName LastName Suffix Title Email WorkPhone HomePhone Mobile Fax WebAddress DoNotSolicit DoNotEmail DoNotFax DoNotMail DoNotPhone'.split(
    ' ',
  )

const makeContact = (world: World, lead: Row, carried: Property[], account: string, at: number): Row => {
  const accounts = kindNamed(world, 'accounts')
  const company = valueOf(lead, 'Company')
  const found =
    account === 'new'
      ? insert(
          world,
          accounts,
          { ...defaultsOf(world, accounts, colleague), AccountName: company },
          at,
          colleague.userId,
        )
      : rowFor(world, 'account', account)
  const contacts = kindNamed(world, 'contacts')
  const values: Values = { ...defaultsOf(world, contacts, colleague) }
  for (const { slot, name } of carried) values[slot] = valueOf(lead, name)
  values['AccountId'] = idOf(accounts.store, found.ref)
  values['AccountName'] = valueOf(found, 'AccountName')
  for (const key of ['OwnerId', 'AccountManagerId']) values[key] = valueOf(lead, key)
  const contact = insert(world, contacts, values, at, colleague.userId)
  takeAddress(world, contact, lead, at)
  return contact
}

/** Makes a contact of a lead, as a colleague does in the CRM: the lead is gone afterwards. */
export const convert = (world: World, { leadId, contactId, account = 'new' }: ConvertInput): { contactId: string } => {
  const at = world.now()
  const lead = rowFor(world, 'lead', leadId)
  const contacts = kindNamed(world, 'contacts')
  const carried = names.flatMap((name) => contacts.byName.get(name.toLowerCase()) ?? [])
  const known = contactId === undefined ? undefined : rowFor(world, 'contact', contactId)
  if (known !== undefined) fillBlanks(world, known, carried, [lead], at)
  const contact = known ?? makeContact(world, lead, carried, account, at)
  const id = idOf(contacts.store, contact.ref)
  const values: Values = { LeadId: leadId, ContactId: id, AccountId: valueOf(contact, 'AccountId') }
  for (const name of ['Company', 'FirstName', 'LastName', 'Email']) values[name] = valueOf(lead, name)
  insert(world, world.leadHistory, values, at, colleague.userId)
  remove(world, lead)
  return { contactId: id }
}

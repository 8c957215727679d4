import type { Login } from '../logins.ts'
import { read, type Value, type Values } from '../model.ts'
import { findRow } from '../store.ts'
import { kindNamed, type World } from '../world.ts'

const valueOf = (world: World, kindName: string, id: Value | undefined, name: string): Value => {
  const kind = kindNamed(world, kindName)
  const row = typeof id === 'string' ? findRow(kind, id) : undefined
  const property = kind.byName.get(name.toLowerCase())
  return row && property ? read(row, property) : null
}

/** The rules that fire when a history entry is saved: names follow from ids, dates and texts have defaults. */
export const fillHistory = (world: World, sent: Values, login: Login, at: number): Values => {
  const completed = sent['CompletedDate'] ?? at
  const values: Values = {
    UserId: login.userId,
    CompletedUser: login.userId,
    StartDate: completed,
    OriginalDate: completed,
    CompletedDate: completed,
    ...sent,
  }
  values['UserName'] = valueOf(world, 'userInfo', values['UserId'], 'UserName')
  const { LeadId, ContactId } = values
  if (typeof LeadId === 'string') {
    values['LeadName'] ??= valueOf(world, 'leads', LeadId, 'LeadNameLastFirst')
    values['AccountName'] ??= valueOf(world, 'leads', LeadId, 'Company')
  }
  if (typeof ContactId === 'string') {
    values['ContactName'] ??= valueOf(world, 'contacts', ContactId, 'NameLF')
    values['AccountId'] ??= valueOf(world, 'contacts', ContactId, 'AccountId')
    values['AccountName'] ??= valueOf(world, 'contacts', ContactId, 'AccountName')
  }
  const { Notes, LongNotes } = values
  if (typeof Notes === 'string' && typeof LongNotes === 'string' && world.settings.mode === '8.x')
    values['LongNotes'] = Notes
  if (typeof LongNotes === 'string') values['Notes'] ??= LongNotes.slice(0, 255)
  else if (typeof Notes === 'string') values['LongNotes'] ??= Notes
  return values
}

/** Whom an entry is about. */
export const peopleIn = ({ LeadId, ContactId }: Values): string[] =>
  [LeadId, ContactId].filter((id) => typeof id === 'string')

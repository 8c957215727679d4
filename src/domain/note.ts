import type { CrmEntity, CrmField, CrmFound } from './crm.ts'
import { readField } from './field.ts'

/** Whose note it is, with the names that the CRM's older versions want beside the ids (docs/decisions/0036-notes.md). */
export type NotePerson = {
  entity: CrmEntity
  id: string
  name: string | null
  company: string | null
  accountId: string | null
}

const known = [readField('Email', 'email'), readField('ModifyDate', 'instant')]

/** What a note needs of a person, and what tells several with one address apart (R4). */
export const noteFields: Record<CrmEntity, CrmField[]> = {
  lead: [...known, readField('LeadNameLastFirst'), readField('Company')],
  contact: [...known, readField('NameLF'), readField('AccountName'), readField('Account/Id')],
}

const names = {
  lead: { name: 'LeadNameLastFirst', company: 'Company' },
  contact: { name: 'NameLF', company: 'AccountName' },
} as const

const text = ({ values }: CrmFound, name: string): string | null => {
  const value = values[name]
  return typeof value === 'string' && value.trim() !== '' ? value : null
}

export const notePersonOf = (entity: CrmEntity, person: CrmFound): NotePerson => ({
  entity,
  id: person.id,
  name: text(person, names[entity].name),
  company: text(person, names[entity].company),
  accountId: entity === 'contact' ? (text(person, 'Account/Id')?.trim() ?? null) : null,
})

const oneLine = (value: string): string => value.replaceAll(/\s+/g, ' ').trim()

/** R32: the message's name, the subject line, and the link on a line of its own, which no rule of the CRM turns into anything else. */
export const noteText = ({ name, subject, link }: { name: string; subject: string; link: string | null }): string =>
  [oneLine(name), oneLine(subject), ...(link === null ? [] : [link])].join('\r\n')

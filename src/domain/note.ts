import type { CrmEntity, CrmField, CrmFound } from './crm.ts'

/** Whose note it is, with the names that the CRM's older versions want beside the ids (docs/decisions/notes.md). */
export type NotePerson = {
  entity: CrmEntity
  id: string
  name: string | null
  company: string | null
  accountId: string | null
}

const field = (name: string, type: CrmField['type'] = 'text'): CrmField => ({
  name,
  label: name,
  type,
  maxLength: null,
  custom: false,
  readOnly: true,
  required: false,
  locked: false,
  address: false,
  picklist: null,
  picklistStorage: null,
})

const known = [field('Email', 'email'), field('ModifyDate', 'instant')]

/** What a note needs of a person, and what tells several with one address apart (R4). */
export const noteFields: Record<CrmEntity, CrmField[]> = {
  lead: [...known, field('LeadNameLastFirst'), field('Company')],
  contact: [...known, field('NameLF'), field('AccountName'), field('Account/Id')],
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

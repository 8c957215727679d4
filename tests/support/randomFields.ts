import * as fc from 'fast-check'
import type { CrmEntity, CrmValue } from '../../src/domain/crm.ts'

/** What the lists hold of a person besides e-mail; names of a lead. `most`: characters that both entities can keep. */
const texts = {
  FirstName: 32,
  LastName: 32,
  Title: 64,
  WorkPhone: 32,
  Company: 128,
  CRegion: 40,
  'Address/City': 32,
  'Address/PostalCode': 24,
} as const
const others = { CBudget: 'number', CNewsletter: 'boolean', CBirthday: 'date', CLastVisit: 'instant' } as const
export type FieldName = keyof typeof texts | keyof typeof others

export const fieldNames = [...Object.keys(texts), ...Object.keys(others)] as FieldName[]
export const required: readonly FieldName[] = ['LastName', 'Company']
/** A CRM refuses to clear what it requires. */
export const blankable = (name: FieldName): boolean => !required.includes(name)

export const lengthOf = (name: string): number => texts[name as keyof typeof texts] ?? Number.POSITIVE_INFINITY
export const isText = (name: string): boolean => name in texts || name === 'Email'

/** A contact carries the name of its company under another name. */
export const fieldOf = (entity: CrmEntity, name: string): string =>
  entity === 'contact' && name === 'Company' ? 'AccountName' : name
export const nameOf = (field: string): string => (field === 'AccountName' ? 'Company' : field)

const words = ['Anna', "O'Neil & <Sons>", 'Łódź 🚀', '+49 (89) 12-34', '7 %', 'two  blanks']

/** Values of a field, few, so that both sides come to the same ones now and then. What is typed here may be too long for the CRM. */
export const valueOf = (name: FieldName, side: 'here' | 'crm'): fc.Arbitrary<CrmValue> => {
  const blank = blankable(name) ? [null] : []
  if (name === 'CBudget')
    return fc.constantFrom<CrmValue>(
      ...blank,
      0,
      12.5,
      -3,
      side === 'here' ? { bigDecimal: '12345678901234567.89' } : '12345678901234567.89',
    )
  if (name === 'CNewsletter') return fc.constantFrom<CrmValue>(...blank, true, false)
  if (name === 'CBirthday') return fc.constantFrom<CrmValue>(...blank, '1931-03-29', '2000-02-29')
  if (name === 'CLastVisit')
    return fc.constantFrom<CrmValue>(...blank, '2020-03-29T01:30:00.000Z', '2021-12-31T23:59:59.000Z')
  const odd = side === 'here' ? ['Long '.repeat(30).trim()] : blankable(name) ? [''] : []
  return fc.constantFrom<CrmValue>(...blank, ...words, ...odd)
}

export const mailNumbers = 7
/** One of few addresses, in a spelling that R2 takes for the same. */
export type Mail = { number: number; form: number } | null

const spellings: ((address: string) => string)[] = [
  (address) => address,
  (address) => address.toUpperCase(),
  (address) => address.normalize('NFD'),
  (address) => address.replace('mail', 'Mail'),
]

/** `of` keeps the addresses of one case apart from those of all others. */
export const addressOf = (of: string, mail: Mail): string | null =>
  mail && spellings[mail.form]!(`zoë.o'mail+${mail.number}@${of}.example.com`)

/** R2, in words of its own. */
export const mailKey = (address: unknown): string | null => {
  const text = typeof address === 'string' ? address.normalize('NFC').trim().toLowerCase() : ''
  return text === '' ? null : text
}

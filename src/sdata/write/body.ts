import type { CallOptions, CrmChanges, CrmField, CrmValue } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { guardNames } from '../person.ts'
import type { Session } from '../session.ts'
import { readTexts } from '../values/picklist.ts'
import { findKey, relationNamed } from './relation.ts'
import { encode } from './value.ts'

/** Members of the JSON to send, each as text, so that no digit of a decimal is lost. */
export type Members = {
  own: string[]
  address: string[]
  /** every value of the address is blank */
  blankAddress: boolean
}

const addressName = /^Address\/([^/]+)$/i

const refuse = (detail: string, field: string): FairleadError =>
  new FairleadError('crmRefused', { detail, crm: { field } })

const describedBy = (fields: CrmField[], changes: CrmChanges): { field: CrmField; value: CrmValue }[] => {
  const byName = new Map(fields.map((field) => [field.name.toLowerCase(), field]))
  return Object.entries(changes)
    .filter(([name]) => relationNamed(name) === undefined)
    .map(([name, value]) => {
      const field = byName.get(name.toLowerCase())
      if (field === undefined) throw new FairleadError('unknownField')
      if (name.includes('/') && !addressName.test(name))
        throw refuse('Of related records only the address can be written.', name)
      return { field, value }
    })
}

const member = (name: string, json: string): string => `${JSON.stringify(name)}:${json}`

/** The changes in the CRM's form. Throws crmRefused naming the field that cannot be written, and crmFailed when its picklist does not come. */
export const encodeChanges = async (
  session: Session,
  fields: CrmField[],
  changes: CrmChanges,
  options: CallOptions,
): Promise<Members> => {
  guardNames(Object.keys(changes))
  const described = describedBy(fields, changes)
  const texts = await readTexts(
    session,
    described.filter(({ value }) => value !== null).map(({ field }) => field),
    options,
  )
  const members: Members = { own: [], address: [], blankAddress: true }
  for (const { field, value } of described) {
    if (texts.unknown.has(field.name))
      throw new FairleadError('crmFailed', {
        detail: 'The CRM fails to deliver the picklist of a field, so its text cannot be put in the stored form.',
        crm: { field: field.name },
      })
    const json = encode(field, value, texts.byField.get(field.name))
    const inAddress = addressName.exec(field.name)?.[1]
    if (inAddress === undefined) members.own.push(member(field.name, json))
    else {
      members.address.push(member(inAddress, json))
      if (json !== 'null') members.blankAddress = false
    }
  }
  for (const [name, value] of Object.entries(changes)) {
    const relation = relationNamed(name)
    if (relation === undefined) continue
    if (value !== null && typeof value !== 'string') throw refuse('A related record is named by text.', name)
    const key = value === null || value.trim() === '' ? null : await findKey(session, relation, value, options)
    members.own.push(member(relation.name, key === null ? 'null' : JSON.stringify({ $key: key })))
  }
  return members
}

const hasAddress = ({ address, blankAddress }: Members, addressKey: string | null): boolean =>
  address.length > 0 && !(addressKey === null && blankAddress)

/** True when there is nothing to write: an address that is not there needs no clearing. */
export const isEmpty = (members: Members, addressKey: string | null): boolean =>
  members.own.length === 0 && !hasAddress(members, addressKey)

/**
 * The JSON object for one person: `head` first, then the changes. An address without key is a new one (10.1), which is not made for blanks alone.
 */
export const toJson = (head: string[], members: Members, addressKey: string | null): string => {
  const isNew = addressKey === null
  const first = isNew ? '"IsPrimary":true' : member('$key', JSON.stringify(addressKey))
  const rest = members.address.filter((part) => !isNew || !/^"IsPrimary":/i.test(part))
  const address = hasAddress(members, addressKey) ? [`"Address":{${[first, ...rest].join(',')}}`] : []
  return `{${[...head, ...members.own, ...address].join(',')}}`
}

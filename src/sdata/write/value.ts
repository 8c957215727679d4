import type { CrmField, CrmValue } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { encodeValue } from '../../domain/values.ts'
import { toStored } from '../values/picklist.ts'
import { readerOf } from '../values/value.ts'

// how the CRM marks a date without time (7)
const timelessMs = 5000

const toMs = (text: string): number => Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text)

/** A value as its field's type has it; throws crmRefused for one that does not fit, which the CRM might take for something else. */
export const typed = ({ name, type }: CrmField, value: CrmValue): CrmValue => {
  const read = readerOf(name, type)(value)
  if (read === undefined)
    throw new FairleadError('crmRefused', {
      detail: 'A value does not fit the type of its field in the CRM.',
      crm: { field: name },
    })
  return read
}

/** One value as JSON text, as the CRM takes it (7). `texts`: stored → text of its picklist. */
export const encode = (field: CrmField, value: CrmValue, texts: Map<string, string> | undefined): string => {
  const own = typed(field, value)
  if (typeof own !== 'string') return encodeValue(own)
  if (field.type === 'instant') return JSON.stringify(`/Date(${toMs(own)})/`)
  if (field.type === 'date') return JSON.stringify(`/Date(${toMs(own) + timelessMs})/`)
  return JSON.stringify(texts ? toStored(texts, own) : own)
}

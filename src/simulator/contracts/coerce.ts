import { Refusal } from '../diagnosis.ts'
import { parseDate } from '../dates.ts'
import type { Property, Value } from '../model.ts'
import type { Settings } from '../settings.ts'

const invalid = (property: Property, value: unknown): Refusal =>
  new Refusal(400, 'ApplicationDiagnosis', `'${String(value)}' is not a valid value for ${property.name}.`)

const booleanOf = (value: unknown): boolean | undefined => {
  if (typeof value === 'boolean') return value
  const text = String(value).trim().toLowerCase()
  if (['true', 't', 'y', '1'].includes(text)) return true
  return ['false', 'f', 'n', '0'].includes(text) ? false : undefined
}

const enumOf = (names: Record<string, number>, value: unknown): number | undefined => {
  if (typeof value === 'number') return Object.values(names).includes(value) ? value : undefined
  const name = Object.keys(names).find((candidate) => candidate.toLowerCase() === String(value).toLowerCase())
  return name === undefined ? undefined : names[name]
}

const textOf = (property: Property, value: unknown, settings: Settings): string => {
  if (typeof value === 'object') throw invalid(property, JSON.stringify(value))
  const text = String(value)
  if (property.length === null || text.length <= property.length) return text
  if (settings.overlongText === 'cut') return text.slice(0, property.length)
  throw new Refusal(
    400,
    'ApplicationDiagnosis',
    `The value of ${property.name} is too long: at most ${property.length} characters are allowed. String or binary data would be truncated.`,
  )
}

/** What the database keeps of a value that a client sent. */
export const coerce = (property: Property, value: unknown, settings: Settings): Value => {
  if (value === null || value === undefined) return null
  if (
    value === '' &&
    (settings.blankToNull || !['text', 'memo', 'email', 'phone', 'url', 'picklist'].includes(property.type))
  )
    return null
  switch (property.type) {
    case 'boolean': {
      const truth = booleanOf(value)
      if (truth === undefined) throw invalid(property, value)
      return truth
    }
    case 'instant':
    case 'date': {
      const ms = parseDate(String(value))
      if (ms === undefined) throw invalid(property, value)
      return ms
    }
    case 'decimal': {
      const text = String(value).trim()
      if (!/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) throw invalid(property, value)
      return /e/i.test(text) ? String(Number(text)) : text
    }
    case 'integer':
    case 'number': {
      const number = Number(value)
      if (!Number.isFinite(number) || (property.type === 'integer' && !Number.isInteger(number)))
        throw invalid(property, value)
      return number
    }
    case 'enum': {
      const number = enumOf(property.enum ?? {}, value)
      if (number === undefined) throw invalid(property, value)
      return number
    }
    case 'id':
      return String(value).trim() === '' ? null : String(value).trim()
    default:
      return textOf(property, value, settings)
  }
}

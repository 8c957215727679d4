import type { CrmValue, FieldType } from '../../domain/crm.ts'
import { fitsDouble } from '../../domain/values.ts'
import { cleanText } from './text.ts'
import { readDate, readInstant } from './time.ts'

/** Turns one JSON value into Fairlead's; undefined when it cannot be read (R8: left out with a warning, never guessed). */
export type Reader = (value: unknown) => CrmValue | undefined

const truths = new Map<unknown, boolean>([
  ...['true', 't', '1', 'y'].map((word) => [word, true] as const),
  ...['false', 'f', '0', 'n'].map((word) => [word, false] as const),
])

const isBig = (value: unknown): value is { bigDecimal: string } =>
  typeof value === 'object' && value !== null && typeof (value as { bigDecimal?: unknown }).bigDecimal === 'string'

const readText: Reader = (value) => {
  if (typeof value === 'string') return value === '' ? null : cleanText(value) || null
  if (value === null) return null
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return isBig(value) ? value.bigDecimal : undefined
}

const readId: Reader = (value) => {
  const text = readText(value)
  return typeof text === 'string' ? text.trim() || null : text
}

const numeral = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/

const readNumber: Reader = (value) => {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (value === null || isBig(value)) return value
  if (typeof value !== 'string') return undefined
  const text = value.trim().replace(/^\+/, '')
  if (text === '') return null
  if (!numeral.test(text)) return undefined
  return fitsDouble(text) ? Number(text) : { bigDecimal: text }
}

/** R10: true/false/T/F/1/0/Y/N in any case; null stays null. */
const readBoolean: Reader = (value) => {
  if (typeof value === 'boolean' || value === null) return value
  if (value === 1 || value === 0) return value === 1
  if (typeof value !== 'string') return undefined
  const word = value.trim().toLowerCase()
  return word === '' ? null : truths.get(word)
}

const blankOr =
  (read: Reader): Reader =>
  (value) =>
    value === null || (typeof value === 'string' && value.trim() === '') ? null : read(value)

const readers: Record<FieldType, Reader> = {
  text: readText,
  email: readText,
  phone: readText,
  picklist: readText,
  number: readNumber,
  boolean: readBoolean,
  date: blankOr(readDate),
  instant: blankOr(readInstant),
}

const idName = /(^|\/)\w*Id$|(^|\/)(Create|Modify)User$/

/** The reader for a field: by its type, and ids (`Id`, `…Id`, `CreateUser`, `ModifyUser`) without their padding. */
export const readerOf = (name: string, type: FieldType): Reader =>
  type === 'text' && idName.test(name) ? readId : readers[type]

/** An id without the padding of CHAR columns; null for anything that is not an id. */
export const trimId = (value: unknown): string | null => {
  if (typeof value !== 'string') return null
  const id = value.trim()
  return id === '' ? null : id
}

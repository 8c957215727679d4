import type { CrmValue } from './crm.ts'

/** `[name in the CRM, key in records.fields]`, in the order of the columns */
export type ColumnPlan = readonly (readonly [crmField: string, key: string])[]

// What JSON writes as an escape, and halves of surrogate pairs: most texts have none, and JSON.stringify has a price for each call.
// oxlint-disable-next-line no-control-regex
const escaped = /["\\\u0000-\u001f\ud800-\udfff]/

/** One value as JSON text; a decimal that a double cannot hold digit by digit. */
export const encodeValue = (value: CrmValue): string => {
  if (value === null || typeof value === 'boolean') return String(value)
  return typeof value === 'object' ? value.bigDecimal : JSON.stringify(value)
}

/**
 * Writes people's values as the JSON text of `records.fields`. Absent stays missing, blank is null, and a decimal that a double
 * cannot hold goes in digit by digit (R8), which is why this is text and not an object. Pieces are joined once: a million texts that are
 * put together step by step are the collector's, not ours.
 */
export const encoderOf = (plan: ColumnPlan): ((values: Record<string, CrmValue>) => string) => {
  const openings = plan.map(([name, key]) => ({ name, bare: `,"${key}":`, text: `,"${key}":"` }))
  return (values) => {
    const pieces: string[] = []
    for (const { name, bare, text } of openings) {
      const value = values[name]
      if (typeof value === 'string' && !escaped.test(value)) pieces.push(text, value, '"')
      else if (value !== undefined) pieces.push(bare, encodeValue(value))
    }
    if (pieces.length === 0) return '{}'
    pieces[0] = `{${pieces[0]!.slice(1)}`
    pieces.push('}')
    return pieces.join('')
  }
}

const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Significant digits and scale of a JSON number, equal for equal numbers: `1.50` and `15e-1` are both `15e-1`. */
const canonical = (number: string): string => {
  const [mantissa = '', exponent = '0'] = number.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.')
  const digits = (whole + fraction).replace(/^0+/, '')
  const trimmed = digits.replace(/0+$/, '')
  if (trimmed === '') return '0'
  return `${trimmed}e${Number(exponent) - fraction.length + (digits.length - trimmed.length)}`
}

/** False for a numeral such as 12345678901234567.89, which a double would change. */
export const fitsDouble = (number: string): boolean => canonical(String(Number(number))) === canonical(number)

/** JSON text with every numeral that a double cannot hold replaced by what `mark` makes of it; all other text is untouched. */
export const guardNumbers = (json: string, mark: (number: string) => string): string =>
  /\d[\d.]{15,}/.test(json)
    ? json.replace(token, (part) => (part.startsWith('"') || part.length < 16 || fitsDouble(part) ? part : mark(part)))
    : json

/** Reads `records.fields::text`; numbers that a double cannot hold exactly come as strings. */
export const parseValues = (json: string): Record<string, string | number | boolean | null> =>
  JSON.parse(guardNumbers(json, (number) => `"${number}"`)) as Record<string, string | number | boolean | null>

/** Reads `records.fields::text` with decimals as Fairlead keeps them: those that a double cannot hold as `{ bigDecimal }`. */
export const readValues = (json: string): Record<string, CrmValue> =>
  JSON.parse(guardNumbers(json, (number) => `{"bigDecimal":"${number}"}`)) as Record<string, CrmValue>

/** R8: null or missing. */
export const isBlank = (value: CrmValue | undefined): value is null | undefined => value === null || value === undefined

const digitsOf = (value: CrmValue): string | null => {
  if (typeof value === 'number') return canonical(String(value))
  return typeof value === 'object' && value !== null ? canonical(value.bigDecimal) : null
}

const isNegative = (value: CrmValue): boolean =>
  typeof value === 'number'
    ? value < 0
    : typeof value === 'object' && value !== null && value.bigDecimal.startsWith('-')

/** Whether two values are one and the same as the CRM keeps them. Absent is not blank; numbers compare digit by digit. */
export const sameValue = (a: CrmValue | undefined, b: CrmValue | undefined): boolean => {
  if (a === b) return true
  if (isBlank(a) || isBlank(b)) return false
  const [left, right] = [digitsOf(a), digitsOf(b)]
  return left !== null && left === right && (left === '0' || isNegative(a) === isNegative(b))
}

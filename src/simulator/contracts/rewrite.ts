import type { Rewrite, Settings } from '../settings.ts'

/** Half away from zero, to the digit even where a double would not hold it. */
const roundToCents = (text: string): string => {
  const match = /^\s*(-?)(\d+)(?:\.(\d+))?\s*$/.exec(text)
  if (match === null) return text
  const [, sign = '', whole = '', rest = ''] = match
  const digits = rest.padEnd(3, '0')
  const up = Number(digits[2]) >= 5 ? 1n : 0n
  const cents = String(BigInt(whole + digits.slice(0, 2)) + up).padStart(3, '0')
  return `${sign}${cents.slice(0, -2)}.${cents.slice(-2)}`
}

const rules: Record<Rewrite, (text: string) => string> = {
  upper: (text) => text.toUpperCase(),
  trim: (text) => text.trim(),
  digits: (text) => text.replaceAll(/\D/g, ''),
  round2: roundToCents,
}

const entryOf = <Item>(record: Record<string, Item>, name: string): Item | undefined =>
  Object.entries(record).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]

/** The value that the server goes on with instead of the one that was sent. */
export const rewrite = ({ rewrites }: Settings, entity: string, property: string, sent: unknown): unknown => {
  const rule = entryOf(entryOf(rewrites, entity) ?? {}, property)
  if (rule === undefined || (typeof sent !== 'string' && typeof sent !== 'number')) return sent
  return rules[rule](String(sent))
}

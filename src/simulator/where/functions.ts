import type { Value } from '../model.ts'

type Operation = (items: Value[], now: number) => Value

const number = (value: Value | undefined): number => Number(value)
const string = (value: Value | undefined): string => String(value)
const date = (value: Value | undefined): Date => new Date(Number(value))

const units: Record<string, number> = {
  day: 86_400_000,
  hour: 3_600_000,
  minute: 60_000,
  second: 1000,
  week: 604_800_000,
}

/** `dateAdd(date, days)` and `dateAdd('unit', amount, date)`: the argument order is documented nowhere. */
const shift = (items: Value[], sign: 1 | -1): Value => {
  const [first, amount, third] = items
  if (items.length === 2) return number(first) + sign * number(amount) * 86_400_000
  return number(third) + sign * number(amount) * (units[string(first).toLowerCase()] ?? 86_400_000)
}

/** What the where language knows; any null argument gives null. */
export const functions: Record<string, Operation> = {
  concat: (items) => items.map(string).join(''),
  left: ([text, count]) => string(text).slice(0, number(count)),
  right: ([text, count]) => (number(count) <= 0 ? '' : string(text).slice(-number(count))),
  substring: ([text, start, count]) =>
    string(text).substr(number(start) - 1, count === undefined ? undefined : number(count)),
  length: ([text]) => string(text).length,
  lower: ([text]) => string(text).toLowerCase(),
  upper: ([text]) => string(text).toUpperCase(),
  trim: ([text]) => string(text).trim(),
  abs: ([value]) => Math.abs(number(value)),
  floor: ([value]) => Math.floor(number(value)),
  sign: ([value]) => Math.sign(number(value)),
  round: ([value, digits]) => {
    const factor = 10 ** number(digits ?? 0)
    return Math.round(number(value) * factor) / factor
  },
  currenttimestamp: (_items, now) => now,
  year: ([value]) => date(value).getUTCFullYear(),
  month: ([value]) => date(value).getUTCMonth() + 1,
  day: ([value]) => date(value).getUTCDate(),
  hour: ([value]) => date(value).getUTCHours(),
  minute: ([value]) => date(value).getUTCMinutes(),
  second: ([value]) => date(value).getUTCSeconds(),
  dateadd: (items) => shift(items, 1),
  datesub: (items) => shift(items, -1),
}

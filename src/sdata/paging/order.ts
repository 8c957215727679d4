import { FairleadError } from '../../domain/errors.ts'

const collator = new Intl.Collator('en', { sensitivity: 'base' })
const binary = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const orders = [binary, (a: string, b: string): number => binary(a.toUpperCase(), b.toUpperCase()), collator.compare]

/** Ascending by at least one order that databases sort ids in; the CRM's order is never imitated otherwise. */
export const isAscending = (keys: string[]): boolean =>
  orders.some((compare) => keys.every((key, at) => at === 0 || compare(keys[at - 1]!, key) <= 0))

const disorder = (): FairleadError =>
  new FairleadError('crmPaging', { detail: 'The CRM does not sort by Id as it is asked to.' })

/**
 * What may be used of a page that is out of order: its lower half, if `read` (the keys after the range's start up to a given one, as the CRM finds
 * them) confirms that there is nothing else below. Otherwise crmPaging; rows are never skipped.
 */
export const confirmHalf = async (keys: string[], read: (upTo: string) => Promise<string[]>): Promise<string[]> => {
  const half = [...keys].sort(binary).slice(0, Math.max(1, keys.length >> 1))
  const confirmed = new Set(await read(half.at(-1)!))
  if (confirmed.size !== half.length || !half.every((key) => confirmed.has(key))) throw disorder()
  return half
}

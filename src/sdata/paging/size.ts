import type { CrmEntity } from '../../domain/crm.ts'
import { isFairleadError } from '../../domain/errors.ts'
import { QueryTooLong } from '../http/request.ts'
import type { Memory } from '../session.ts'

/** How many rows are asked for at once, and the most that ever came. */
export type Size = { ask: number; most: number }
export type PageKind = 'people' | 'keys'

const largest = { people: 1000, keys: 5000 } as const
const smallest = 50

export const sizeOf = (memory: Memory, entity: CrmEntity, kind: PageKind): Size => {
  const key = `${entity}.${kind}`
  const size = memory.sizes.get(key) ?? { ask: largest[kind], most: 0 }
  memory.sizes.set(key, size)
  return size
}

/** Asks for less where that may help: after time-outs, cut or oversized answers, and where the server calls the count itself wrong. False when it cannot. */
export const shrink = (size: Size, error: unknown): boolean => {
  if (!isFairleadError(error) || error instanceof QueryTooLong || size.ask <= smallest) return false
  if (error.code === 'crmRefused' && size.most < size.ask) size.ask = size.ask > 100 ? 100 : smallest
  else if (error.code === 'crmTimeout' || error.code === 'crmAnswer')
    size.ask = Math.max(smallest, Math.floor(size.ask / 4))
  else return false
  return true
}

/** Learns from a page that came; asks for more again after full ones. */
export const grow = (size: Size, kind: PageKind, asked: number, rows: number): void => {
  size.most = Math.max(size.most, rows)
  if (size.ask === asked && rows === asked) size.ask = Math.min(asked * 2, largest[kind])
}

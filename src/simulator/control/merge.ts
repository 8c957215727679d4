import { remove } from '../contracts/write.ts'
import { rowOf } from '../store.ts'
import type { World } from '../world.ts'
import { fillBlanks, keptBy } from './join.ts'
import { kindFor, rowFor } from './rows.ts'
import { truthOf, type Truth } from './truth.ts'

export type MergeInput = { entity: string; survivorId: string; loserIds: string[] }

const places = new Set(['AddressId', 'ShippingAddressId'])

/** Makes one person of several: the survivor's blanks come from the losers in their order, who are removed. */
export const merge = (world: World, { entity, survivorId, loserIds }: MergeInput): Truth => {
  const kind = kindFor(world, entity)
  if (kind.entity !== 'Lead' && kind.entity !== 'Contact') throw new Error(`${kind.entity} cannot be merged`)
  const survivor = rowFor(world, entity, survivorId)
  const losers = [...new Set(loserIds)].map((id) => rowFor(world, entity, id))
  if (losers.some(({ ref }) => ref === survivor.ref)) throw new Error(`${survivorId} cannot be merged with itself`)
  const names = keptBy(kind).filter(({ name, secret }) => !secret && !places.has(name))
  fillBlanks(world, survivor, names, losers, world.now())
  for (const row of losers) remove(world, row)
  return truthOf(world, rowOf(kind, survivor.ref))
}

import type { Kind, Ref } from '../model.ts'
import type { World } from '../world.ts'

type Cached = { version: number; lists: Map<string, Ref[]> }

const kept = 12
const cache = new WeakMap<Kind, Cached>()

const listsOf = (world: World, kind: Kind): Map<string, Ref[]> => {
  const old = cache.get(kind)
  if (old?.version === world.version) return old.lists
  const lists = new Map<string, Ref[]>()
  cache.set(kind, { version: world.version, lists })
  return lists
}

export const peekList = (world: World, kind: Kind, key: string): Ref[] | undefined => listsOf(world, kind).get(key)

/** Lists of rows live until anything changes. */
export const cachedList = (world: World, kind: Kind, key: string, make: () => Ref[]): Ref[] => {
  const lists = listsOf(world, kind)
  const list = lists.get(key) ?? make()
  lists.delete(key)
  lists.set(key, list)
  if (lists.size > kept) lists.delete(String(lists.keys().next().value))
  return list
}

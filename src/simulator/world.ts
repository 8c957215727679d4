import { dice, type Dice } from './hash.ts'
import { makeKinds, type Kinds } from './kinds/index.ts'
import type { Kind, Row } from './model.ts'
import { findRow } from './store.ts'
import { defaultSettings, type Settings } from './settings.ts'
import { makeLogins, type Login } from './logins.ts'

export type SimulatorOptions = {
  port?: number
  host?: string
  leads?: number
  contacts?: number
  latencyMs?: number
  seed?: number
  mode?: '8.x' | '7.5.4'
  username?: string
  password?: string
  maxPage?: number
  basePath?: string
}

/** Everything the simulated CRM knows. */
export type World = {
  settings: Settings
  kinds: Kinds
  logins: Map<string, Login>
  /** properties that a fault took away, as `lead.industry` */
  missing: Set<string>
  /** grows with every change of a row or a switch */
  version: number
  /** rows made so far; with the seed it decides ids of new rows and random choices */
  made: number
  roll: Dice
  now(): number
}

export const makeWorld = (options: SimulatorOptions): World => {
  const { seed = 1, leads = 1000, contacts = 1000 } = options
  const settings: Settings = {
    ...structuredClone(defaultSettings),
    mode: options.mode ?? '8.x',
    latencyMs: options.latencyMs ?? 0,
    maxPage: options.maxPage ?? defaultSettings.maxPage,
  }
  return {
    settings,
    kinds: makeKinds({
      seed,
      leads,
      contacts,
      accounts: Math.max(1, Math.ceil(contacts / 5)),
      store(item, storage) {
        const form = storage === 'text' ? settings.picklistStorage : storage
        return form === 'code' ? item.code : form === 'id' ? item.key : item.text
      },
    }),
    logins: makeLogins(options.username ?? 'admin', options.password ?? 'secret'),
    missing: new Set(),
    version: 0,
    made: 0,
    roll: dice(seed, 'events'),
    now: () => Date.now() + settings.clockOffsetMs,
  }
}

export const kindNamed = (world: World, name: string): Kind => {
  const kind = world.kinds.get(name.toLowerCase())
  if (kind === undefined) throw new Error(`There is no kind ${name}`)
  return kind
}

/** `lead`, `Lead` or `leads`. */
export const kindOfEntity = (world: World, name: string): Kind | undefined => {
  const lower = name.toLowerCase()
  return [...world.kinds.values()].find(
    (kind) => kind.entity.toLowerCase() === lower || kind.name.toLowerCase() === lower,
  )
}

/** Takes properties away, or gives them another name. */
export const hideProperties = (
  world: World,
  hidden: { entity: string; property: string; renamedTo?: string }[],
): void => {
  world.missing = new Set(hidden.map(({ entity, property }) => `${entity}.${property}`.toLowerCase()))
  world.version++
  for (const kind of world.kinds.values()) {
    const original = kind.properties.filter(({ name, slot }) => name === slot)
    const renamed = hidden.flatMap(({ entity, property, renamedTo }) => {
      const old = original.find(({ name }) => name.toLowerCase() === property.toLowerCase())
      return entity !== kind.entity || old === undefined || renamedTo === undefined ? [] : [{ ...old, name: renamedTo }]
    })
    kind.properties = [...original, ...renamed]
    kind.byName = new Map(kind.properties.map((property) => [property.name.toLowerCase(), property]))
  }
}

/** After a change of a row: nothing read before may be used again. */
export const touch = (world: World, row: Row): void => {
  world.version++
  for (const index of row.kind.indexes.values()) index.note(row)
  const parent = row.kind.entity === 'LeadAddress' ? 'leads' : row.kind.entity === 'Address' ? 'contacts' : undefined
  if (parent === undefined) return
  const property = row.kind.byName.get(parent === 'leads' ? 'leadid' : 'entityid')
  const parentId =
    property && (row.own?.[property.name] ?? (typeof row.ref === 'number' ? property.make(row.ref) : null))
  const found = parentId ? findRow(kindNamed(world, parent), String(parentId)) : undefined
  if (found) for (const index of found.kind.indexes.values()) index.note(found)
}

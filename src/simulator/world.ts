import { dice, type Dice } from './hash.ts'
import { makeKinds, type Kinds } from './kinds/index.ts'
import { makeLeadHistory } from './kinds/leadHistory.ts'
import { storedForm } from './kinds/picklists.ts'
import { read, type Kind, type Row } from './model.ts'
import { countChange, findRow } from './store.ts'
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
  /** kept also while the setting hides it from `kinds` */
  leadHistory: Kind
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
      store: (item, storage) => storedForm(item, storage, settings.picklistStorage),
    }),
    leadHistory: makeLeadHistory(),
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

export const changeSettings = (world: World, patch: Partial<Settings>): void => {
  for (const name of Object.keys(patch)) if (!(name in world.settings)) throw new Error(`There is no setting ${name}`)
  Object.assign(world.settings, patch)
  const { leadHistory } = world
  if (world.settings.leadHistory) world.kinds.set(leadHistory.name.toLowerCase(), leadHistory)
  else world.kinds.delete(leadHistory.name.toLowerCase())
  if ('picklistStorage' in patch) for (const kind of world.kinds.values()) kind.indexes.clear()
  world.version++
}

const parents: Record<string, { key: string; kinds: string[] }> = {
  LeadAddress: { key: 'leadid', kinds: ['leads'] },
  Address: { key: 'entityid', kinds: ['contacts', 'accounts'] },
}

/** The lead, contact or account that an address belongs to. */
const ownerOf = (world: World, address: Row): Row | undefined => {
  const parent = parents[address.kind.entity]
  const property = parent && address.kind.byName.get(parent.key)
  const id = property ? read(address, property) : null
  if (parent === undefined || id === null) return undefined
  return parent.kinds.flatMap((name) => findRow(kindNamed(world, name), String(id)) ?? [])[0]
}

/** After a change of a row: nothing read before may be used again. A change of an address gives its owner a new etag, not a new date. */
export const touch = (world: World, row: Row): void => {
  world.version++
  for (const index of row.kind.indexes.values()) index.note(row)
  const owner = ownerOf(world, row)
  if (owner === undefined) return
  countChange(owner)
  for (const index of owner.kind.indexes.values()) index.note(owner)
}

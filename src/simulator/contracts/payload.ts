import { Refusal } from '../diagnosis.ts'
import { picklists, storedForm } from '../kinds/picklists.ts'
import type { Login } from '../logins.ts'
import type { Kind, Property, Relation, Value, Values } from '../model.ts'
import { propertyNamed, relationNamed } from '../query/scope.ts'
import { findRow } from '../store.ts'
import { kindNamed, type World } from '../world.ts'
import { coerce } from './coerce.ts'
import { rewrite } from './rewrite.ts'

type Payload = Record<string, unknown>
export type Change = { values: Values; nested: { relation: Relation; values: Values }[] }

export const refuse = (message: string): Refusal => new Refusal(400, 'ApplicationDiagnosis', message)

export const isPayload = (value: unknown): value is Payload =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const keyIn = (payload: Payload): string | undefined => {
  const key = payload['$key']
  return typeof key === 'string' && key.trim() !== '' ? key.trim() : undefined
}

const mayWrite = (login: Login, kind: Kind, name: string): boolean =>
  !login.restrictions.some(
    ({ entity, property }) => entity === kind.entity && property.toLowerCase() === name.toLowerCase(),
  )

const checkPicklist = ({ settings }: World, property: Property, value: Value): void => {
  if (property.picklist === null || settings.picklistWrites === 'free' || value === null || value === '') return
  const items = picklists.find(({ name }) => name === property.picklist)?.items ?? []
  if (!items.some((item) => storedForm(item, property.storage, settings.picklistStorage) === value))
    throw refuse(`'${String(value)}' is not an item of the picklist ${property.picklist} of ${property.name}.`)
}

const readValue = (world: World, kind: Kind, property: Property, sent: unknown): Value => {
  const value = coerce(property, rewrite(world.settings, kind.entity, property.name, sent), world.settings)
  checkPicklist(world, property, value)
  return value
}

const readRelation = (world: World, relation: Relation, value: unknown, change: Change, login: Login): void => {
  if (value === null) change.values[relation.key.name] = null
  if (!isPayload(value)) return
  const target = kindNamed(world, relation.target)
  const key = keyIn(value)
  if (key !== undefined && findRow(target, key) === undefined) throw refuse(`${relation.name} '${key}' does not exist.`)
  if (key !== undefined) change.values[relation.key.name] = key
  const mayNest = target.entity === 'Address' || target.entity === 'LeadAddress'
  if (mayNest && Object.keys(value).some((name) => !name.startsWith('$')))
    change.nested.push({ relation, values: readPayload(world, target, value, login).values })
}

/** Properties that the payload names; what is computed, read-only, unknown or forbidden is passed over. */
export const readPayload = (world: World, kind: Kind, payload: Payload, login: Login): Change => {
  const change: Change = { values: {}, nested: [] }
  for (const [name, value] of Object.entries(payload)) {
    const property = propertyNamed(world, kind, name)
    const relation = property === undefined ? relationNamed(kind, name) : undefined
    if (relation !== undefined) readRelation(world, relation, value, change, login)
    if (property === undefined || property.readOnly || !mayWrite(login, kind, property.name)) continue
    change.values[property.slot] = readValue(world, kind, property, value)
  }
  return change
}

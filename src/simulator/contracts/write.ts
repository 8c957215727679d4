import { Refusal } from '../diagnosis.ts'
import type { Call } from '../http/call.ts'
import type { Login } from '../logins.ts'
import { read, type Kind, type Relation, type Row, type Values } from '../model.ts'
import { propertyNamed, relationNamed } from '../query/scope.ts'
import { addRow, findRow, idOf, ownOf, removeRow } from '../store.ts'
import { kindNamed, touch, type World } from '../world.ts'
import { coerce } from './coerce.ts'
import { fillHistory } from './history.ts'

type Payload = Record<string, unknown>
export type Change = { values: Values; nested: { relation: Relation; payload: Payload }[] }

const refuse = (message: string): Refusal => new Refusal(400, 'ApplicationDiagnosis', message)

const isPayload = (value: unknown): value is Payload =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const keyIn = (payload: Payload): string | undefined => {
  const key = payload['$key']
  return typeof key === 'string' && key.trim() !== '' ? key.trim() : undefined
}

const mayWrite = (login: Login, kind: Kind, name: string): boolean =>
  !login.restrictions.some(
    ({ entity, property }) => entity === kind.entity && property.toLowerCase() === name.toLowerCase(),
  )

const readRelation = (world: World, relation: Relation, value: unknown, change: Change): void => {
  if (value === null) change.values[relation.key.name] = null
  if (!isPayload(value)) return
  const key = keyIn(value)
  if (key !== undefined && findRow(kindNamed(world, relation.target), key) === undefined)
    throw refuse(`${relation.name} '${key}' does not exist.`)
  if (key !== undefined) change.values[relation.key.name] = key
  if (Object.keys(value).some((name) => !name.startsWith('$'))) change.nested.push({ relation, payload: value })
}

/** Properties that the payload names; what is computed, read-only, unknown or forbidden is passed over. */
export const readPayload = (world: World, kind: Kind, payload: Payload, login: Login): Change => {
  const change: Change = { values: {}, nested: [] }
  for (const [name, value] of Object.entries(payload)) {
    const property = propertyNamed(world, kind, name)
    const relation = property === undefined ? relationNamed(kind, name) : undefined
    if (relation !== undefined) readRelation(world, relation, value, change)
    if (property === undefined || property.readOnly || !mayWrite(login, kind, property.name)) continue
    change.values[property.slot] = coerce(property, value, world.settings)
  }
  return change
}

/** Anywhere among the generated ids, or behind them. */
export const newId = (world: World, kind: Kind): string => {
  for (;;) {
    const roll = world.roll(world.made++)
    const space = kind.store.size === 0 ? 40_000_000 : Math.ceil(kind.store.size * 1.1) + 10
    const id = kind.store.ids.between(roll % space, world.roll(world.made) >>> 3)
    if (findRow(kind, id) === undefined) return id
  }
}

/** Stamps of a change. Instants keep their milliseconds. */
const stamp = (row: Row, at: number, userId: string): void => {
  const own = ownOf(row)
  own['$changes'] = Number(own['$changes'] ?? 0) + 1
  own['ModifyDate'] = at
  own['ModifyUser'] = userId
}

export const setValues = (world: World, row: Row, values: Values, at: number, userId: string): void => {
  stamp(row, at, userId)
  Object.assign(ownOf(row), values)
  const account = values['AccountId']
  if (row.kind.entity === 'Contact' && typeof account === 'string' && !('AccountName' in values)) {
    const found = findRow(kindNamed(world, 'accounts'), account)
    const name = found?.kind.byName.get('accountname')
    if (found && name) ownOf(row)['AccountName'] = read(found, name)
  }
  touch(world, row)
}

const defaults: Record<string, Values> = {
  Lead: { Status: 'New', DoNotSolicit: false, DoNotEmail: false, DoNotFAX: false, DoNotMail: false, DoNotPhone: false },
  Contact: {
    Status: 'Active',
    IsPrimary: false,
    DoNotSolicit: false,
    DoNotEmail: false,
    DoNotFax: false,
    DoNotMail: false,
    DoNotPhone: false,
  },
  History: { Duration: 0, Timeless: false, Attachment: false },
}

export const defaultsOf = (kind: Kind, login: Pick<Login, 'userId'>): Values => {
  const values: Values = { ...defaults[kind.entity] }
  if (relationNamed(kind, 'Owner')) values['OwnerId'] = 'SYST00000001'
  if (relationNamed(kind, 'AccountManager')) values['AccountManagerId'] = login.userId
  return values
}

export const insert = (world: World, kind: Kind, values: Values, at: number, userId: string): Row => {
  const trail = { CreateUser: userId, CreateDate: at }
  const row = addRow(kind, newId(world, kind), { ...trail, ...values })
  setValues(world, row, values, at, userId)
  return row
}

const saveNested = (world: World, row: Row, { nested }: Change, login: Login, at: number): void => {
  const id = idOf(row.kind.store, row.ref)
  for (const { relation, payload } of nested) {
    const target = kindNamed(world, relation.target)
    if (target.entity !== 'Address' && target.entity !== 'LeadAddress') continue
    const inner = readPayload(world, target, payload, login).values
    const key = read(row, relation.key)
    const old = key === null ? undefined : findRow(target, String(key))
    if (old !== undefined) {
      setValues(world, old, inner, at, login.userId)
      continue
    }
    const back: Values = target.entity === 'Address' ? { EntityId: id } : { LeadId: id }
    const made = insert(world, target, { IsPrimary: true, ...inner, ...back }, at, login.userId)
    ownOf(row)[relation.key.name] = idOf(target.store, made.ref)
    touch(world, row)
  }
}

const checkRequired = (world: World, kind: Kind, values: Values): void => {
  for (const name of world.settings.required[kind.entity] ?? []) {
    const value = values[name] ?? values[`${name}Id`]
    if (value === undefined || value === null || String(value).trim() === '') throw refuse(`${name} is required.`)
  }
}

const payloadOf = (call: Call): Payload => {
  if (!isPayload(call.body)) throw refuse('The request has no readable entity in its body.')
  return call.body
}

export const create = (world: World, call: Call, kind: Kind): Row => {
  const { login } = call
  const at = world.now()
  const change = readPayload(world, kind, payloadOf(call), login)
  const filled = { ...defaultsOf(kind, login), ...change.values }
  const values = kind.entity === 'History' ? fillHistory(world, filled, login, at) : filled
  checkRequired(world, kind, values)
  const row = insert(world, kind, values, at, login.userId)
  saveNested(world, row, change, login, at)
  return row
}

export const update = (world: World, call: Call, row: Row): Row => {
  const at = world.now()
  const change = readPayload(world, row.kind, payloadOf(call), call.login)
  for (const name of world.settings.required[row.kind.entity] ?? [])
    for (const key of [name, `${name}Id`])
      if (key in change.values && (change.values[key] === null || change.values[key] === ''))
        throw refuse(`${name} is required.`)
  if (Object.keys(change.values).length > 0) setValues(world, row, change.values, at, call.login.userId)
  saveNested(world, row, change, call.login, at)
  return row
}

export const remove = (world: World, row: Row): void => {
  removeRow(row)
  world.version++
}

import type { Call } from '../http/call.ts'
import { read, type Kind, type Row, type Values } from '../model.ts'
import { addRow, countChange, findRow, fold, idOf, ownOf, removeRow, rowOf } from '../store.ts'
import { kindNamed, touch, type World } from '../world.ts'
import { defaultsOf } from './defaults.ts'
import { guardIds } from './entities.ts'
import { fillHistory, peopleIn } from './history.ts'
import { isPayload, readPayload, refuse, type Change } from './payload.ts'

/** Anywhere among the generated ids, or behind them. */
const newId = (world: World, kind: Kind): string => {
  // further behind with each try: a small CRM to which many are added has no id left among its own
  for (let tries = 1; ; tries++) {
    const roll = world.roll(world.made++)
    const space = (kind.store.size === 0 ? 40_000_000 : Math.ceil(kind.store.size * 1.1) + 10) * tries
    const id = kind.store.ids.between(roll % space, world.roll(world.made) >>> 3)
    if (findRow(kind, id) === undefined && !kind.store.spent.has(fold(id))) return id
  }
}

/** Stamps of a change. Instants keep their milliseconds. */
const stamp = (row: Row, at: number, userId: string): void => {
  const own = countChange(row)
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

export const insert = (world: World, kind: Kind, values: Values, at: number, userId: string): Row => {
  const trail = { CreateUser: userId, CreateDate: at }
  const row = addRow(kind, newId(world, kind), { ...trail, ...values })
  setValues(world, row, values, at, userId)
  return row
}

/** A related address: changed where there is one, else made. Its change is not its person's: their dates stay. */
export const saveAddress = (
  world: World,
  row: Row,
  { relation, values }: Change['nested'][number],
  at: number,
  userId: string,
): void => {
  const target = kindNamed(world, relation.target)
  const key = read(row, relation.key)
  const old = key === null ? undefined : findRow(target, String(key))
  if (old !== undefined) {
    setValues(world, old, values, at, userId)
    return
  }
  const id = idOf(row.kind.store, row.ref)
  const back: Values = target.entity === 'Address' ? { EntityId: id } : { LeadId: id }
  const made = insert(world, target, { IsPrimary: true, ...values, ...back }, at, userId)
  ownOf(row)[relation.key.name] = idOf(target.store, made.ref)
  touch(world, row)
}

const checkRequired = (world: World, kind: Kind, values: Values): void => {
  for (const name of world.settings.required[kind.entity] ?? []) {
    const value = values[name] ?? values[`${name}Id`]
    if (value === undefined || value === null || String(value).trim() === '') throw refuse(`${name} is required.`)
  }
}

const changeIn = (world: World, call: Call, kind: Kind): Change => {
  if (!isPayload(call.body)) throw refuse('The request has no readable entity in its body.')
  return readPayload(world, kind, call.body, call.login)
}

export const create = (world: World, call: Call, kind: Kind): Row => {
  const { login } = call
  const at = world.now()
  const change = changeIn(world, call, kind)
  const filled = { ...defaultsOf(world, kind, login), ...change.values }
  const values = kind.entity === 'History' ? fillHistory(world, filled, login, at) : filled
  checkRequired(world, kind, values)
  if (kind.entity === 'History') guardIds(call, peopleIn(values))
  const row = insert(world, kind, values, at, login.userId)
  for (const nested of change.nested) saveAddress(world, row, nested, at, login.userId)
  return row
}

export const update = (world: World, call: Call, row: Row): Row => {
  const at = world.now()
  const change = changeIn(world, call, row.kind)
  for (const name of world.settings.required[row.kind.entity] ?? [])
    for (const key of [name, `${name}Id`])
      if (key in change.values && (change.values[key] === null || change.values[key] === ''))
        throw refuse(`${name} is required.`)
  for (const { key } of row.kind.relations)
    if (key.name in change.values && change.values[key.name] === read(row, key)) delete change.values[key.name]
  if (Object.keys(change.values).length > 0) setValues(world, row, change.values, at, call.login.userId)
  for (const nested of change.nested) saveAddress(world, row, nested, at, call.login.userId)
  return rowOf(row.kind, row.ref)
}

export const remove = (world: World, row: Row): void => {
  removeRow(row)
  touch(world, row)
}

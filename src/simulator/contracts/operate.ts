import { Refusal } from '../diagnosis.ts'
import type { Call, Reply } from '../http/call.ts'
import { securedEntities } from '../logins.ts'
import type { Kind } from '../model.ts'
import type { World } from '../world.ts'
import { guard, rowFor, single } from './entities.ts'
import { checkMatch } from './match.ts'
import { create, remove, update } from './write.ts'

const actions: Record<string, string> = { GET: 'View', POST: 'Add', PUT: 'Edit', DELETE: 'Delete' }

/** Rights hold in every version, though only 8.x names them. */
export const checkRight = ({ login, method }: Call, { entity }: Kind): void => {
  const action = `Entities/${entity}/${actions[method]}`
  if (securedEntities.includes(entity) && !login.securedActions.includes(action))
    throw new Refusal(403, 'ApplicationDiagnosis', `You do not have the right ${action}.`)
}

const cannot = (method: string, what: string): Refusal =>
  new Refusal(405, 'ApplicationDiagnosis', `${method} is not possible on ${what}.`)

/** One entity made, read, changed or removed, by a request of its own or as an item of a batch. */
export const operate = (world: World, call: Call, kind: Kind, selector: string | undefined): Reply => {
  const { method } = call
  checkRight(call, kind)
  if (selector === undefined) {
    if (method !== 'POST') throw cannot(method, 'a feed')
    return single(world, call, create(world, call, kind), 201)
  }
  const row = rowFor(world, call, kind, selector)
  if (method === 'GET') return single(world, call, row)
  guard(call, [row])
  if (method !== 'PUT' && method !== 'DELETE') throw cannot(method, 'an entity')
  checkMatch(world, call, row)
  if (method === 'PUT') return single(world, call, update(world, call, row))
  remove(world, row)
  return { status: 200, body: '' }
}

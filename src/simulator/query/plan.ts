import { unknownProperty } from '../diagnosis.ts'
import type { Login } from '../logins.ts'
import type { Collection, Kind, Property, Relation } from '../model.ts'
import { kindNamed, type World } from '../world.ts'
import type { Arguments } from './arguments.ts'
import { propertyNamed, relationNamed } from './scope.ts'

/** What an entry of an answer holds. */
export type Plan = {
  kind: Kind
  scalars: Property[]
  /** properties shown as null because the user may not see them */
  blanked: Set<Property>
  links: Relation[]
  nested: { relation: Relation; plan: Plan }[]
  lists: { collection: Collection; plan: Plan | undefined }[]
  permissions: boolean
}

const emptyPlan = (kind: Kind): Plan => ({
  kind,
  scalars: [],
  blanked: new Set(),
  links: [],
  nested: [],
  lists: [],
  permissions: false,
})

const addScalar = (plan: Plan, property: Property, login: Login): void => {
  const rule = login.restrictions.find(
    ({ entity, property: name, access }) =>
      access === 'NoAccess' && entity === plan.kind.entity && name.toLowerCase() === property.name.toLowerCase(),
  )
  if (rule !== undefined && rule.shows !== 'null') return
  if (rule !== undefined) plan.blanked.add(property)
  if (property.name !== 'Id' && !plan.scalars.includes(property)) plan.scalars.push(property)
}

const addAll = (world: World, plan: Plan, login: Login): void => {
  for (const { name } of plan.kind.properties) {
    const property = propertyNamed(world, plan.kind, name)
    if (property !== undefined) addScalar(plan, property, login)
  }
}

const nestedPlan = (world: World, plan: Plan, relation: Relation): Plan => {
  const old = plan.nested.find((item) => item.relation === relation)
  if (old !== undefined) return old.plan
  const made = emptyPlan(kindNamed(world, relation.target))
  plan.nested.push({ relation, plan: made })
  return made
}

const listPlan = (world: World, plan: Plan, collection: Collection): Plan => {
  const old = plan.lists.find((item) => item.collection === collection)
  const made = old?.plan ?? emptyPlan(kindNamed(world, collection.target))
  if (old === undefined) plan.lists.push({ collection, plan: made })
  else old.plan = made
  return made
}

const addPath = (world: World, plan: Plan, [head = '', ...rest]: string[], login: Login, whole: boolean): void => {
  if (head === '*' || head === '') {
    addAll(world, plan, login)
    return
  }
  if (head.toLowerCase() === '$permissions') plan.permissions = true
  if (head.startsWith('$')) return
  const property = propertyNamed(world, plan.kind, head)
  if (property !== undefined && rest.length === 0) {
    addScalar(plan, property, login)
    return
  }
  const relation = relationNamed(plan.kind, head)
  const collection = plan.kind.collections.find(({ name }) => name.toLowerCase() === head.toLowerCase())
  const tail = rest.length === 0 && whole ? ['*'] : rest
  if (relation !== undefined && tail.length === 0) plan.links.push(relation)
  else if (relation !== undefined) addPath(world, nestedPlan(world, plan, relation), tail, login, whole)
  else if (collection !== undefined && tail.length === 0) plan.lists.push({ collection, plan: undefined })
  else if (collection !== undefined) addPath(world, listPlan(world, plan, collection), tail, login, whole)
  else throw unknownProperty(world.settings.unknownPropertyStatus, head, plan.kind.entity)
}

const wholePlan = (world: World, kind: Kind, login: Login): Plan => {
  const plan = emptyPlan(kind)
  addAll(world, plan, login)
  return plan
}

/** `select` overrides `include` and `precedence` (sdata.md 5.8); `precedence=0` leaves keys, descriptor and etag. */
export const planOf = (world: World, kind: Kind, args: Partial<Arguments>, login: Login): Plan => {
  const { select, include = [], precedence } = args
  const plan = select !== undefined || precedence === 0 ? emptyPlan(kind) : wholePlan(world, kind, login)
  for (const path of select ?? []) addPath(world, plan, path, login, false)
  for (const path of include)
    if (path[0]?.startsWith('$') || select === undefined) addPath(world, plan, path, login, true)
  const star = select === undefined ? precedence !== 0 : select.some(([head]) => head === '*')
  if (!star) return plan
  plan.links.push(...kind.relations.filter((relation) => !plan.nested.some((item) => item.relation === relation)))
  for (const collection of kind.collections)
    if (!plan.lists.some((item) => item.collection === collection)) plan.lists.push({ collection, plan: undefined })
  return plan
}

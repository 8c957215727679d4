import * as syncSettings from '../../src/db/sync/settings.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'
import { sameInCrm, valueAt } from './compare.ts'
import { fieldOf, isText, lengthOf, mailKey, nameOf } from './randomFields.ts'
import { isRequired, type Case } from './randomPlan.ts'
import type { CrmEdit, Deeds, Edit, Truth, World } from './randomWorld.ts'
import type { Held } from './sync.ts'

/*
 * What product.md says must hold between a list and the CRM once nothing moves any more (R1–R17), written from the rules and not from the code:
 * a sentence for each record that breaks one.
 */

type Column = { key: string; name: string; type: string }
type Person = { entity: CrmEntity; person: Truth }
export type Look = {
  world: World
  at: number
  deeds: Deeds
  plan: Case
  own: CrmEntity
  settings: syncSettings.Stored
  rule: string
  columns: Column[]
  /** what the list says of its size */
  count: number
  /** by `lead:<id>` */
  people: Map<string, Person>
  records: Held[]
}

export const lookAt = async (world: World, plan: Case, at: number): Promise<Look> => {
  const { fairlead, deeds, lists, people } = world
  const { entity: own, list } = lists[at]!
  const { db, accountId } = fairlead
  const columns = await db.$client<Column[]>`
    select key, crm_field as name, type from columns where list_id = ${list.listId} and crm_field is not null`
  const [account] = await db.$client<
    [{ rule: string }]
  >`select ambiguous_match as rule from accounts where id = ${accountId}`
  const known = (['lead', 'contact'] as const).flatMap((entity) =>
    people(entity).map((person) => [`${entity}:${person.Id}`, { entity, person }] as const),
  )
  const [listed] = await db.$client<
    [{ count: number }]
  >`select record_count as count from lists where id = ${list.listId}`
  return {
    world,
    count: listed.count,
    at,
    deeds,
    plan,
    own,
    settings: await syncSettings.get(db, accountId, list.listId),
    rule: account.rule,
    columns: [...columns],
    people: new Map(known),
    records: await list.records(),
  }
}

const linkOf = ({ crmEntity, crmId }: Held): string => `${crmEntity}:${crmId}`
const isBlank = (value: unknown): boolean => value === null || value === undefined
const alwaysRead = new Set(['CreateDate', 'ModifyDate', 'DoNotEmail', 'DoNotSolicit'])

/** The record, and those whose values became edits of it when they were found to be one person (R1, R16). */
const familyOf = ({ records }: Look, { id }: Held): Set<string> => {
  const family = new Set([id])
  for (let size = 0; size < family.size;) {
    size = family.size
    for (const each of records) if (family.has(each.mergedInto ?? '')) family.add(each.id)
  }
  return family
}

/** R8–R13: the columns of a linked record against the person's own values. */
const valueTroubles = (look: Look, record: Held, { entity, person }: Person): string[] => {
  const { deeds, settings, own, plan } = look
  const { push, pull } = settings
  const link = linkOf(record)
  const family = familyOf(look, record)
  return look.columns.flatMap(({ key, name: column, type }) => {
    const name = nameOf(column)
    const theirs = valueAt(person, entity === own ? column : fieldOf(entity, name))
    const ours = record.values[column]
    const equal = sameInCrm(ours, theirs, type)
    const say = (what: string): string[] => [
      `${record.id} (${link}) ${name}: ${JSON.stringify(ours)} here, ${JSON.stringify(theirs)} in the CRM, ${what}`,
    ]
    if (alwaysRead.has(column)) return equal || !pull.enabled ? [] : say('although it is always read')
    const ticked = push.enabled && push.updateExisting && push.fields.includes(key)
    const pulled = pull.enabled && pull.updateExisting && !pull.excludedFields.includes(key)
    const edits = deeds.here.filter((edit) => family.has(edit.record) && edit.name === name)
    // a blank is news only where somebody made it one while the record was linked to the person (R9)
    const clears = push.clearFields.includes(key) && edits.some(({ linked }) => linked === link)
    const pushed = ticked && (!isBlank(ours) || (ours === null && clears))
    const elsewhere = deeds.here.some((edit) => !family.has(edit.record) && edit.name === name)
    const theirEdits = deeds.crm.filter((edit) => edit.link === link && [name, '*'].includes(edit.name))
    // with `all` every chosen field of one record goes to everybody who has its address (R4)
    const isFollowed = (deeds.links.get(record.id)?.size ?? 0) > 1
    const inCrm = theirEdits.length > 0 || elsewhere || isFollowed || deeds.rules.has('all')
    const waiting = record.agreed[column]
    // ours alone (R13): what is done to it in the CRM stays there
    if (!equal && pushed && !(!pulled && waiting === undefined && inCrm)) return say('although it is pushed')
    // an edit that is not pushed stays until the CRM's value changes
    const waits = waiting !== undefined && waiting.n !== true && sameInCrm(waiting.v, theirs, type) && edits.length > 0
    if (!equal && !pushed && pulled && !waits) return say('although it is pulled')
    const last = edits.at(-1)
    if (
      last === undefined ||
      isBlank(last.value) ||
      !pushed ||
      plan.crm.rewrites ||
      elsewhere ||
      deeds.rules.has('all')
    )
      return []
    if (edits.some(({ linked }) => linked !== link)) return []
    if (theirEdits.length > 0 && !pulled) return []
    const winner = theirEdits.length === 0 ? 'ours' : winnerOf(look, last, theirEdits)
    if (winner === null) return []
    const wanted = winner === 'ours' ? last.value : theirEdits.at(-1)!.value
    const given = isText(name) && typeof wanted === 'string' ? wanted.slice(0, lengthOf(name)) || null : wanted
    return sameInCrm(given, theirs, type) ? [] : say(`although ${winner} was set last to ${JSON.stringify(wanted)}`)
  })
}

/**
 * R13 by the order of what was done: who sets a value that the other side has not seen yet loses against the CRM; who sets it after a sync that
 * nothing disturbed has seen the other's. null where it cannot be told, as while runs were under way.
 */
const winnerOf = ({ world, at, plan }: Look, ours: Edit, theirs: CrmEdit[]): 'ours' | 'theirs' | null => {
  const last = theirs.at(-1)!
  const changesRules = [...plan.steps.flatMap(({ before }) => before), ...plan.last].some(
    ({ do: what }) => what === 'settings' || what === 'account',
  )
  if (
    changesRules ||
    world.deeds.rules.has('latestWins') ||
    theirs.some(({ name, epochs }) => name === '*' || epochs === null)
  )
    return null
  if (ours.epochs === null) return null
  if (theirs.some(({ before }) => sameInCrm(before, last.value, 'text'))) return null
  const [here, there] = [ours.epochs[at]!, last.epochs![at]!]
  if (here <= there) return 'theirs'
  for (let epoch = there; epoch < here; epoch += 1) if (world.clean.has(`${at}:${epoch}`)) return 'ours'
  return null
}

/** R15, R16: whose person is gone. */
const goneTroubles = ({ world, deeds, settings, own, people }: Look, record: Held): string[] => {
  const link = linkOf(record)
  if (record.state === null) {
    if (record.crmEntity !== own && !settings.pull.enabled) return []
    // where nobody of the other kind is left, nothing proves that the kind is not only switched off (R15)
    if (record.crmEntity !== own && ![...people.values()].some(({ entity }) => entity === record.crmEntity)) return []
    return [`${record.id} is linked to ${link}, who is gone`]
  }
  const heir = deeds.heirs.get(link)
  const found = people.get(heir?.link ?? '')
  if (heir === undefined || found === undefined) return []
  const trouble = [`${record.id} is ${record.state} with ${link}, who became ${heir.link} with ${heir.mail}`]
  // the CRM itself tells of conversions, if it offers their history
  if (world.fairlead.simulator.control.settings().leadHistory && found.entity !== record.crmEntity) return trouble
  const key = mailKey(record.values['Email'])
  const holders = [...(deeds.holders.get(key ?? '') ?? [])].filter((each) => each !== link)
  const wasEdited = deeds.here.some((edit) => edit.record === record.id && edit.name === 'Email')
  // duplicates are known by their names besides
  const sameName = ['FirstName', 'LastName'].every((name) => sameInCrm(record.values[name], found.person[name], 'text'))
  if (found.entity === record.crmEntity && !sameName) return []
  return key !== null && key === heir.mail && holders.length === 1 && !wasEdited ? trouble : []
}

/** R3–R7: a record that is linked to nobody although the push should have found or created somebody. */
const unlinkedTroubles = ({ settings, own, people, rule }: Look, record: Held): string[] => {
  const { push } = settings
  const key = mailKey(record.values['Email'])
  if (!push.enabled || key === null || !(push.addNew || push.updateExisting)) return []
  const found = [...people.values()].filter(({ person }) => mailKey(person['Email']) === key)
  const contacts = found.filter(({ entity }) => entity === 'contact')
  const rivals = contacts.length > 0 ? contacts : found
  if (rivals.length > 0)
    return rule === 'hold' && rivals.length > 1 ? [] : [`${record.id} is not linked to the person with ${key}`]
  const lacks = ['LastName', 'Company'].some(
    (name) => isRequired(name) && isBlank(record.values[fieldOf(own, name)] ?? push.newLeadDefaults[name]),
  )
  return push.addNew && !lacks ? [`${record.id} was not created, although nobody has ${key}`] : []
}

/** R1, R17: a record made after another one was removed does not end in that one. */
const vanishedTroubles = ({ deeds, records }: Look, record: Held): string[] => {
  let end = record
  for (let next: Held | undefined = record; next !== undefined; next = records.find(({ id }) => id === end.mergedInto))
    end = next
  const [made, removed] = [deeds.created.get(record.id), deeds.removed.get(end.id)]
  return end.id !== record.id && end.removed && made !== undefined && removed !== undefined && removed < made
    ? [`${record.id} went into ${end.id}, which was removed before`]
    : []
}

const recordTroubles = (look: Look, record: Held): string[] => {
  const { deeds, people } = look
  if (record.removed && record.mergedInto === null && !deeds.removed.has(record.id))
    return [`${record.id} is removed, by nobody`]
  // a record that was made here for the same person brings a removed one back (R1)
  const isBack = look.records.some(({ mergedInto }) => mergedInto === record.id)
  if (!record.removed && deeds.removed.has(record.id) && !isBack) return [`${record.id} was removed and is back`]
  if (record.removed) return vanishedTroubles(look, record)
  if (record.crmId === null) return unlinkedTroubles(look, record)
  const found = people.get(linkOf(record))
  if (found === undefined) return goneTroubles(look, record)
  if (record.state !== null) return [`${record.id} is ${record.state}, but ${linkOf(record)} is in the CRM`]
  return valueTroubles(look, record, found)
}

/** Everything that is wrong with a list. */
export const troublesOf = (look: Look): string[] => {
  const { own, settings, records, people } = look
  const links = records.filter(({ crmId }) => crmId !== null).map(linkOf)
  const twice = links.filter((link, at) => links.indexOf(link) !== at)
  const missing =
    settings.pull.enabled && settings.pull.addNew
      ? [...people].filter(([link, { entity }]) => entity === own && !links.includes(link))
      : []
  const known = new Set(records.map(({ id }) => id))
  const live = records.filter(({ removed }) => !removed).length
  return [
    ...(look.count === live ? [] : [`the list says that it has ${look.count} records and has ${live}`]),
    ...twice.map((link) => `${link} is on the list twice`),
    ...missing.map(([link]) => `${link} is missing on the list`),
    ...[...look.deeds.created.keys()]
      .filter((id) => !known.has(id) && look.plan.lists.length === 1)
      .map((id) => `${id} has vanished`),
    ...records.flatMap((record) => recordTroubles(look, record)),
  ]
}

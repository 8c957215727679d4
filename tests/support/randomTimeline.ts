import type { Event } from '../../src/api/record/timelineJson.ts'
import { sameInCrm, valueAt } from './compare.ts'
import { lookAt } from './randomChecks.ts'
import { fieldOf, nameOf } from './randomFields.ts'
import type { Case } from './randomPlan.ts'
import type { World } from './randomWorld.ts'
import type { Held } from './sync.ts'
import type { Timelines } from './timeline.ts'

/*
 * The timeline of a record alone is enough to compute its values on both sides: at every moment at which somebody has looked, and of the person in
 * the CRM as the run has left it.
 */

type State = Record<string, unknown>
type Change = Event['changes'][string]

const plain = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'bigDecimal' in value ? value.bigDecimal : value
const shown = (state: State): State =>
  Object.fromEntries(Object.entries(state).map(([field, value]) => [field, plain(value)]))

const hereOf = ({ side, here, ...change }: Change): { before?: unknown; after?: unknown } | undefined =>
  side === 'here' ? change : here

const differing = (what: string, a: State, b: State): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((field) => a[field] !== b[field])
    .map(
      (field) =>
        `${what}, ${field}: ${JSON.stringify(a[field])} by the timeline, ${JSON.stringify(b[field])} on the record`,
    )

/** The record's values at a moment: after all events with smaller ids. */
export type Seen = { before: string; values: State }

/** Plays events, oldest first, over the first values: what does not fit what was seen at moments between. */
export const hereTroubles = (events: Event[], seen: readonly Seen[]): string[] => {
  const made = events.find(({ kind }) => kind === 'created')
  if (made === undefined) return ['nothing says how it was made']
  const troubles: string[] = made.complete === true ? [] : ['its history is said to be incomplete']
  const state: State = { ...made.values }
  const left = [...seen]
  const lookUntil = (id: string): void => {
    while (left[0] !== undefined && left[0].before < id) {
      const { before, values } = left.shift()!
      troubles.push(...differing(`as of ${before}`, state, shown(values)))
    }
  }
  for (const { id, kind, changes } of events) {
    lookUntil(id)
    for (const [field, change] of Object.entries(changes)) {
      const here = hereOf(change)
      if (here === undefined) continue
      if (here.before !== state[field])
        troubles.push(
          `${kind} ${id}, ${field}: ${JSON.stringify(here.before)} before, but it was ${JSON.stringify(state[field])}`,
        )
      if (here.after === undefined) delete state[field]
      else state[field] = here.after
    }
  }
  lookUntil('g')
  return troubles
}

const fromCrm = new Set(['pulled', 'swept', 'pushed', 'taken', 'seen', 'linked'])

/** What the CRM has of the person that the record is linked to, as far as the timeline speaks of it. */
const crmOf = (events: Event[]): { link: string; values: State } => {
  let link = ''
  let values: State = {}
  for (const { kind, code, crm, changes, values: first } of events) {
    const speaks = fromCrm.has(kind) || kind === 'created' || kind === 'followed' || code === 'existsNotUpdated'
    if (speaks && crm !== null && `${crm.entity}:${crm.id}` !== link) {
      link = `${crm.entity}:${crm.id}`
      values = {}
    }
    if (kind === 'created' && crm !== null) values = { ...first }
    if (fromCrm.has(kind)) for (const [field, { after }] of Object.entries(changes)) values[field] = after
  }
  return { link, values }
}

export type Witness = {
  /** Takes down what the records hold at this moment, at which nothing moves. */
  look: () => Promise<void>
  /** Reads the timelines of all records: how many, and what is wrong with them. */
  check: (plan: Case) => Promise<{ read: number; troubles: string[] }>
}

export const createWitness = (world: World, timelines: Timelines): Witness => {
  const { fairlead, lists, deeds } = world
  const seen = new Map<string, Seen[]>()
  const look = async (): Promise<void> => {
    const [{ now }] = await fairlead.db.$client<[{ now: string }]>`select uuidv7()::text as now`
    for (const { list } of lists)
      for (const { id, values } of await list.records())
        seen.set(id, [...(seen.get(id) ?? []), { before: now, values }])
  }
  const troublesOf = async (plan: Case, at: number, records: Held[]): Promise<string[]> => {
    const { columns, people, settings, own } = await lookAt(world, plan, at)
    const found: string[] = []
    for (const record of records) {
      const events = await timelines.read(lists[at]!.list.listId, record.id, 7)
      const troubles = hereTroubles(events, seen.get(record.id) ?? [])
      const link = `${record.crmEntity}:${record.crmId}`
      const person = people.get(link)
      const crm = crmOf(events)
      if (!record.removed && record.state === null && person !== undefined) {
        if (crm.link !== link) troubles.push(`it is linked to ${link}, and to ${crm.link} by the timeline`)
        for (const { key, name: column, type } of columns) {
          if (!(column in crm.values)) continue
          const name = nameOf(column)
          const pulled =
            settings.pull.enabled && settings.pull.updateExisting && !settings.pull.excludedFields.includes(key)
          // what nobody reads may have been changed there since
          const wasEdited =
            deeds.crm.some((edit) => edit.link === link && [name, '*'].includes(edit.name)) ||
            deeds.rules.has('all') ||
            (deeds.links.get(record.id)?.size ?? 0) > 1 ||
            lists.length > 1
          const isRead = settings.pull.enabled && /^(Create|Modify)Date$|^DoNot/.test(column)
          // our own pushes set the date of the last change, too
          if (!pulled && !isRead && (wasEdited || column === 'ModifyDate')) continue
          const theirs = valueAt(person.person, person.entity === own ? column : fieldOf(person.entity, name))
          if (!sameInCrm(crm.values[column], theirs, type))
            troubles.push(
              `${column}: ${JSON.stringify(theirs)} in the CRM, ${JSON.stringify(crm.values[column])} by the timeline`,
            )
        }
      }
      if (troubles.length > 0)
        found.push(
          ...troubles.map((each) => `${record.id} (${link}): ${each}`),
          ...events.map((each) => `  ${brief(each)}`),
        )
    }
    return found
  }
  return {
    look,
    async check(plan) {
      const troubles: string[] = []
      let read = 0
      for (const [at, { list }] of lists.entries()) {
        const records = await list.records()
        read += records.length
        troubles.push(...(await troublesOf(plan, at, records)))
      }
      return { read, troubles }
    },
  }
}

const brief = ({ id, kind, code, run, crm, changes, otherRecordId, values }: Event): string =>
  JSON.stringify({ id, kind, code, run: run?.kind, crm, changes, otherRecordId, values })

import { setTimeout as sleep } from 'node:timers/promises'
import type { Run } from '../../src/db/run/state.ts'
import { apply } from '../../src/db/preview.ts'
import * as syncSettings from '../../src/db/sync/settings.ts'
import type { Fairlead } from './fairlead.ts'
import { fieldNames, mailKey } from './randomFields.ts'
import { lookAt, troublesOf } from './randomChecks.ts'
import type { Case, Step } from './randomPlan.ts'
import { createWitness, type Witness } from './randomTimeline.ts'
import { importLists, openWorld, type World } from './randomWorld.ts'
import { sumsAgree } from './sync.ts'
import type { Timelines } from './timeline.ts'

const longestRunMs = 90_000
/** What a push changes in the CRM may be read by the other list's pull, and so on; more rounds than these would be ping-pong. */
const mostRounds = 4
/** What does not pass by itself is mended in the CRM after so long. */
const mendAfterMs = 20_000

const fail = (what: string, troubles: string[]): never => {
  throw new Error(`${what}:\n  ${troubles.join('\n  ')}`)
}

/** A run to its end; of one that does not come to it, what it waits for. */
const runList = async (
  { fairlead }: World,
  { list }: World['lists'][number],
  kind: 'sync' | 'sweep' | 'verify' | 'preview',
): Promise<Run> => {
  try {
    return await list.run(kind, longestRunMs)
  } catch (error) {
    const waiting = await fairlead.db
      .$client`select id, kind, state, phase, error from runs where list_id = ${list.listId} and finished_at is null`
    throw new Error(`a ${kind} does not end: ${JSON.stringify(waiting)}`, { cause: error })
  }
}

/** What a run says it did, each as often as it did it, but to some records; people who came onto the list are no entries of a sync. */
const saidBy = async ({ fairlead }: World, run: Run, but: string[] = []): Promise<string[]> => {
  const rows = await fairlead.db.$client<{ said: string }[]>`
    select concat_ws(' ', phase, kind, code) as said from entries
    where last_run_id = ${run.id} and (phase, kind) <> ('pull', 'created')
      and coalesce(record_id::text, '') <> all(string_to_array(${but.join('\n')}::text, E'\n')) order by 1`
  return rows.map(({ said }) => said)
}

/**
 * S8: a preview writes nothing. Then either it is applied, which finds nothing changed, or the sync after it counts what it has counted. Answers
 * that sync, or the one after the application.
 */
const runPreviewed = async (world: World, each: World['lists'][number]): Promise<Run> => {
  const { fairlead } = world
  const { control } = fairlead.simulator
  const [before, { writes }] = [await picture(world), control.gauges()]
  const shown = await runList(world, each, 'preview')
  await checkLedger(world, shown)
  if (control.gauges().writes !== writes) fail('a preview writes to the CRM', [shown.id])
  const after = await picture(world)
  if (after.join('\n') !== before.join('\n'))
    fail(
      'a preview writes here',
      after.filter((row) => !before.includes(row)),
    )
  world.previewed += 1
  if (shown.state === 'succeeded' && world.previewed % 2 === 0) {
    const applied = await applyPreview(world, each, shown)
    await checkLedger(world, applied)
    if ((await saidBy(world, applied)).some((said) => said.includes('changedSince')))
      fail('nothing has changed since the preview', await entriesOf(world, [shown, applied]))
    return runList(world, each, 'sync')
  }
  // R23: a sync tries one of those that have a cause, and a preview none
  const parked = await parkedOf(world, each)
  const done = await runList(world, each, 'sync')
  const [was, is] = parked.length > 0 ? ['', ''] : [shown, done].map(phasesOf)
  const [said, says] = [await saidBy(world, shown, parked), await saidBy(world, done, parked)]
  if (was !== is || said.join() !== says.join())
    fail('a preview shows something else than the sync does', [was!, is!, ...(await entriesOf(world, [shown, done]))])
  return done
}

const parkedOf = async ({ fairlead }: World, { list }: World['lists'][number]): Promise<string[]> => {
  const rows = await fairlead.db.$client<{ id: string }[]>`
    select record_id::text as id from parked_records where list_id = ${list.listId}`
  return rows.map(({ id }) => id)
}

const applyPreview = async ({ fairlead }: World, { list }: World['lists'][number], { id }: Run): Promise<Run> => {
  const { runId } = await fairlead.db.transaction((tx) => apply(tx, fairlead.accountId, list.listId, id, false))
  await fairlead.wiring.relay()
  return fairlead.finished(runId, longestRunMs)
}

const entriesOf = async ({ fairlead }: World, [one, two]: [Run, Run]): Promise<string[]> => {
  const rows = await fairlead.db.$client`
    select last_run_id = ${one.id} as shown, phase, kind, code, record_id, crm_id, changes, warnings from entries
    where last_run_id in (${one.id}, ${two.id}) order by 1 desc, id`
  return rows.map((row) => JSON.stringify(row))
}

const phasesOf = ({ counts }: Run): string =>
  JSON.stringify(
    Object.entries(counts ?? {})
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([phase, sums]) => [phase, Object.entries(sums).toSorted(([a], [b]) => (a < b ? -1 : 1))]),
  )

/** Every row that a preview must leave as it is. */
const picture = async ({ fairlead }: World): Promise<string[]> => {
  const sql = fairlead.db.$client
  const names = ['records', 'lists', 'late_rows', 'creations', 'crm_people']
  const rows = await Promise.all(
    names.map((name) => sql.unsafe<{ row: string }[]>(`select '${name} ' || t::text as row from ${name} t order by 1`)),
  )
  return rows.flatMap((each) => each.map(({ row }) => row))
}

type Listed = { phase: string; kind: string; count: number }

/** Section 4: the sums of a run agree, and its entries are as many as its counts say. */
const checkLedger = async ({ fairlead }: World, run: Run): Promise<void> => {
  const about = `run ${run.id} (${run.kind}) is ${run.state}, ${JSON.stringify({ error: run.error, counts: run.counts, balance: run.balance })}`
  if (run.state !== 'succeeded' && run.state !== 'incomplete') fail('a run failed', [about])
  if (!sumsAgree(run)) fail('a ledger does not balance', [about])
  const listed = await fairlead.db.$client<Listed[]>`
    select phase, kind, count(*)::int as count from entries where last_run_id = ${run.id} group by phase, kind`
  const entriesOf = (phase: string, kind: string): number =>
    listed.find((each) => each.phase === phase && each.kind === kind)?.count ?? 0
  const troubles = Object.entries(run.counts ?? {}).flatMap(([phase, counts]) =>
    (['updated', 'skipped', 'rejected', ...(phase === 'push' ? (['created'] as const) : [])] as const)
      .filter((kind) => entriesOf(phase, kind) !== counts[kind])
      .map((kind) => `${phase}: ${counts[kind]} ${kind}, but ${entriesOf(phase, kind)} entries`),
  )
  if (troubles.length > 0) fail('entries do not match the counts', [...troubles, about])
}

/** The leads that Fairlead made. */
const ownLeads = ({ fairlead, people }: World): Map<string, string | null> => {
  const me = fairlead.simulator.control.users().find(({ username }) => username === 'admin')!.userId
  return new Map(
    people('lead')
      .filter((lead) => lead['CreateUser'] === me)
      .map((lead) => [lead.Id, mailKey(lead['Email'])]),
  )
}

/** Everybody's address, as it is compared. */
const addressed = ({ people }: World): Map<string, string | null> =>
  new Map(
    (['lead', 'contact'] as const).flatMap((entity) =>
      people(entity).map((person) => [`${entity}:${person.Id}`, mailKey(person['Email'])] as const),
    ),
  )

/** R7: what Fairlead creates while `work` goes on is nobody who was there, and nobody twice. */
const watchCreations = async (world: World, quiet: boolean, work: () => Promise<unknown>): Promise<void> => {
  const before = ownLeads(world)
  const holders = addressed(world)
  world.deeds.moved.clear()
  const sql = world.fairlead.db.$client
  const [{ since }] = await sql<[{ since: string }]>`select uuidv7()::text as since`
  await work()
  const now = addressed(world)
  // whoever has been given another address here is no reason not to create somebody who has the old one
  const there = new Set(
    [...holders].filter(([link, key]) => !now.has(link) || now.get(link) === key).map(([, key]) => key),
  )
  const made = [...ownLeads(world)].filter(([id]) => !before.has(id))
  const keys = made.map(([, key]) => key)
  const twins = made.filter(
    ([, key], at) => key === null || keys.indexOf(key) !== at || (there.has(key) && !world.deeds.moved.has(key)),
  )
  // also of applied previews, which are no syncs
  const [{ counted }] = await sql<[{ counted: number }]>`
    select coalesce(sum((counts -> 'push' ->> 'created')::int), 0)::int as counted from runs
    where id > ${since}::uuid and kind <> 'preview' and account_id = ${world.fairlead.accountId}::uuid`
  if (quiet && counted !== made.length)
    fail('a ledger counts other leads than were made', [`${counted} instead of ${made.length}`])
  if (twins.length > 0)
    fail(
      'a person was created who is in the CRM already',
      twins.map(([id, key]) => `lead ${id} with ${key}`),
    )
}

type Watched = { known: Set<string>; wanted: Set<string> }

/** S3, R15: nobody comes onto a list while its pull adds nobody. */
const createGate = (world: World) => {
  const watched: Watched[] = world.lists.map(() => ({ known: new Set(), wanted: new Set() }))
  const open = async (): Promise<void> => {
    for (const [at, { entity, list }] of world.lists.entries()) {
      const { pull } = await syncSettings.get(world.fairlead.db, world.fairlead.accountId, list.listId)
      if (pull.enabled && pull.addNew) for (const { Id } of world.people(entity)) watched[at]!.wanted.add(Id)
    }
  }
  return {
    open,
    async check(): Promise<void> {
      await open()
      for (const [at, { entity, list }] of world.lists.entries()) {
        const { known, wanted } = watched[at]!
        const records = await list.records()
        const fresh = records.filter(({ id }) => !known.has(id) && !world.deeds.created.has(id))
        const strange = fresh.filter(({ crmEntity, crmId }) => crmEntity !== entity || !wanted.has(crmId!))
        if (strange.length > 0)
          fail(
            'people came onto a list that adds nobody',
            strange.map(({ crmEntity, crmId }) => `${crmEntity}:${crmId}`),
          )
        for (const { id, crmEntity, crmId } of records) {
          known.add(id)
          const links = world.deeds.links.get(id) ?? new Set()
          if (crmId !== null) world.deeds.links.set(id, links.add(`${crmEntity}:${crmId}`))
        }
      }
    },
  }
}

type Gate = ReturnType<typeof createGate>

const oneByOne = async <Item, Result>(items: Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> => {
  const results: Result[] = []
  for (const item of items) results.push(await work(item))
  return results
}

/** The same case without what happens while runs work, and with a CRM that stores what it is sent: then a preview can be exact. */
const calm = (plan: Case): Case => ({
  ...plan,
  crm: { ...plan.crm, latencyMs: 0, rewrites: false },
  steps: plan.steps.map((step) => ({ ...step, during: [], troubles: [] })),
})

const runStep = async (world: World, gate: Gate, step: Step): Promise<void> => {
  const { lists } = world
  for (const action of step.before) await world.apply(action)
  for (const trouble of step.troubles) world.trouble(trouble)
  await gate.open()
  const quiet = step.during.length + step.troubles.length === 0
  await watchCreations(world, quiet, async () => {
    const chosen = step.run === 'one' ? lists.slice(0, 1) : lists
    const kind = step.run === 'one' ? 'sync' : step.run
    world.isRunning = true
    const comes = world.previews && kind === 'sync' && !world.deeds.rules.has('all')
    const running = comes
      ? oneByOne(chosen, (each) => runPreviewed(world, each))
      : Promise.all(chosen.map((each) => runList(world, each, kind)))
    const mending = setTimeout(() => world.fairlead.simulator.control.clearFaults(), mendAfterMs)
    running.catch(() => undefined).finally(() => clearTimeout(mending))
    for (const { pause, action } of step.during) {
      await sleep(pause)
      await world.apply(action)
      // whoever is added while a pull reads may be gone again before it ends
      await gate.open()
    }
    const runs = await running
    for (const run of runs) await checkLedger(world, run)
    chosen.forEach((_, at) => {
      if (quiet && kind === 'sync' && runs[at]!.state === 'succeeded') world.clean.add(`${at}:${world.epochs[at]}`)
      world.epochs[at]! += 1
    })
    world.isRunning = false
    return runs
  })
  world.fairlead.simulator.control.clearFaults()
  await gate.check()
}

const syncOf = (world: World, each: World['lists'][number]): Promise<Run> => runList(world, each, 'sync')

const versions = async ({ fairlead, lists }: World): Promise<string[]> => {
  const ids = lists.map(({ list }) => list.listId)
  const rows = await fairlead.db.$client<{ id: string; version: number }[]>`
    select id::text, version from records where list_id = any(string_to_array(${ids.join()}, ',')::uuid[]) order by id`
  return rows.map(({ id, version }) => `${id} ${version}`)
}

/** Syncs without any change from outside, until one writes nothing in the CRM; the one after that must change nothing on either side. */
const quieten = async (world: World): Promise<Run[]> => {
  const all: Run[] = []
  const { control } = world.fairlead.simulator
  const sync = async (): Promise<{ writes: number; runs: Run[] }> => {
    const { writes } = control.gauges()
    const runs: Run[] = []
    for (const each of world.lists)
      runs.push(await (world.previews && !world.deeds.rules.has('all') ? runPreviewed : syncOf)(world, each))
    for (const run of runs) await checkLedger(world, run)
    all.push(...runs)
    return { writes: control.gauges().writes - writes, runs }
  }
  let rounds = 0
  let isEcho = false
  for (let writes = 1; writes > 0; rounds += 1) {
    if (rounds >= mostRounds) {
      const sent = control.journal().slice(-40)
      const pending = await Promise.all(world.lists.map(({ list }) => list.records()))
      fail(`round ${rounds} still writes`, [
        ...sent.flatMap(({ method, path, body }) => (body ? [`${method} ${path} ${body}`] : [])),
        ...pending.flat().flatMap((record) => (Object.keys(record.agreed).length > 0 ? [JSON.stringify(record)] : [])),
      ])
    }
    const done = await sync()
    writes = done.writes
    // R11: with one list, nobody but Fairlead has written since the round before
    const taken = done.runs.reduce((sum, { counts }) => sum + (counts?.['pull']?.updated ?? 0), 0)
    if (isEcho && taken > 0)
      fail(
        'our own writes come back as changes',
        done.runs.map(({ counts }) => JSON.stringify(counts)),
      )
    isEcho = world.lists.length === 1 && !world.deeds.rules.has('all')
  }
  const before = await versions(world)
  const { writes, runs } = await sync()
  const after = await versions(world)
  const changed = after.filter((row) => !before.includes(row))
  if (writes + changed.length > 0)
    fail('a further sync changes something', [
      `${writes} writes`,
      ...changed,
      ...runs.map(({ counts }) => JSON.stringify(counts)),
    ])
  return all
}

/** The world of a case, with its lists imported, as somebody has looked at it first. */
const begin = async (fairlead: Fairlead, name: string, plan: Case, timelines: Timelines, previews = false) => {
  const { control } = fairlead.simulator
  control.clearFaults()
  control.settings({
    latencyMs: 0,
    overlongText: plan.crm.overlongText,
    rewrites: plan.crm.rewrites
      ? { Lead: { WorkPhone: 'digits' }, LeadAddress: { City: 'upper' }, Address: { City: 'upper' } }
      : {},
  })
  const world = await openWorld(fairlead, name, [], previews)
  for (const person of plan.people) await world.apply({ do: 'crmAdd', ...person })
  world.lists.push(...(await importLists(fairlead, plan, fieldNames)))
  world.epochs.push(...world.lists.map(() => 0))
  const gate = createGate(world)
  await gate.check()
  const witness = createWitness(world, timelines)
  await witness.look()
  return { world, gate, witness }
}

const checkTimelines = async (witness: Witness, plan: Case, least = 0): Promise<void> => {
  await witness.look()
  const { read, troubles } = await witness.check(plan)
  if (troubles.length > 0) fail('a timeline does not lead to the values', troubles)
  if (read < least) fail('too few timelines were read', [`${read}`])
}

/** Lives the case of a crowd through, and reads at least a hundred timelines. */
export const liveCrowd = async (fairlead: Fairlead, name: string, plan: Case, timelines: Timelines): Promise<void> => {
  const { world, gate, witness } = await begin(fairlead, name, plan, timelines)
  for (const action of plan.first) await world.apply(action)
  const sync = async (): Promise<void> => {
    await gate.open()
    for (const each of world.lists) await checkLedger(world, await runList(world, each, 'sync'))
    await gate.check()
    await witness.look()
  }
  for (const { before } of plan.steps) {
    for (const action of before) await world.apply(action)
    await witness.look()
    await sync()
  }
  // what one list has written is read by the other
  await sync()
  await sync()
  await checkTimelines(witness, plan, 100)
}

/** Lives one case through, to its quiet end. Throws what does not hold. */
export const live = async (
  fairlead: Fairlead,
  name: string,
  drawn: Case,
  timelines: Timelines,
  previews = false,
): Promise<void> => {
  const plan = previews ? calm(drawn) : drawn
  const { control } = fairlead.simulator
  const { world, gate, witness } = await begin(fairlead, name, plan, timelines, previews)
  for (const action of plan.first) await world.apply(action)
  control.settings({ latencyMs: plan.crm.latencyMs })
  for (const step of plan.steps) {
    await runStep(world, gate, step)
    await witness.look()
  }
  control.settings({ latencyMs: 0 })
  for (const action of plan.last) await world.apply(action)
  await witness.look()
  await watchCreations(world, true, async () => {
    const swept: Run[] = []
    for (const each of world.lists) swept.push(await runList(world, each, 'sweep'))
    for (const run of swept) await checkLedger(world, run)
    return quieten(world)
  })
  await gate.check()
  world.note()
  const troubles: string[] = []
  for (const at of world.lists.keys()) troubles.push(...troublesOf(await lookAt(world, plan, at)))
  if (troubles.length > 0) fail('the two sides do not agree', troubles)
  await checkTimelines(witness, plan)
}

/** Nobody is left in the CRM for the next case. */
export const clearCrm = ({ simulator: { control } }: Fairlead): void => {
  control.clearFaults()
  for (const entity of ['lead', 'contact'] as const)
    control.remove({ entity, ids: control.people({ entity, count: 1000 }).items.map(({ Id }) => Id) })
}

import { describe, expect, onTestFinished, test } from 'vitest'
import * as connections from '../src/db/connection.ts'
import * as runs from '../src/db/run/state.ts'
import * as sweeps from '../src/db/sweep.ts'
import { openFairlead, until, type Fairlead } from './support/fairlead.ts'

const open = async (): Promise<Fairlead> => {
  const fairlead = await openFairlead({ leads: 400, contacts: 20 })
  onTestFinished(fairlead.close)
  return fairlead
}
const active = async (fairlead: Fairlead) => (await connections.findActive(fairlead.db, fairlead.accountId))!
const propose = async ({ db, accountId, wiring, simulator }: Fairlead, password: string) => {
  const input = { url: simulator.url, username: 'admin', password, mode: 'connect' } as const
  const key = await connections.propose(db, wiring.secrets, accountId, input)
  await wiring.relay()
  return key
}
/** The attempt has reached the CRM, which lets it wait. */
const reached = (fairlead: Fairlead, requests: number) =>
  until('the CRM is asked', async () => fairlead.simulator.control.gauges().requests > requests)
const slowly = (fairlead: Fairlead) =>
  fairlead.simulator.control.addFault({ kind: 'slow', ms: 1200, match: { contract: 'system' } })
const ended = ({ wiring }: Fairlead, { connectionId, candidateId }: connections.CandidateKey) =>
  wiring.flows.client.workflow.getHandle(`connection:${connectionId}:${candidateId}`).result()

describe('C1, C2: what one check finds out says nothing about other credentials', () => {
  test('C3: a check that was under way does not undo a reset', async () => {
    const fairlead = await open()
    await fairlead.connect()
    slowly(fairlead)
    const { requests } = fairlead.simulator.control.gauges()
    const key = await propose(fairlead, 'secret')
    await reached(fairlead, requests)
    await connections.reset(fairlead.db, fairlead.accountId)
    expect(await ended(fairlead, key)).toEqual({ state: 'refused' })
    expect(await active(fairlead)).toMatchObject({ state: 'reset', secret: null })
  })

  test('a check that takes long is not taken for the one of credentials that came after it', async () => {
    const fairlead = await open()
    await fairlead.connect()
    const { secret } = await active(fairlead)
    slowly(fairlead)
    const { requests } = fairlead.simulator.control.gauges()
    const first = await propose(fairlead, 'secret')
    await reached(fairlead, requests)
    await fairlead.db.$client`update connection_candidates set created_at = now() - interval '1 hour'`
    const second = await propose(fairlead, 'wrong')
    expect(second.candidateId).not.toBe(first.candidateId)
    expect(await ended(fairlead, first)).toEqual({ state: 'refused' })
    expect(await ended(fairlead, second)).toEqual({ state: 'refused' })
    const candidate = await connections.findCandidate(fairlead.db, fairlead.accountId, second.connectionId)
    expect(candidate).toMatchObject({ id: second.candidateId, problem: { code: 'loginRefused' }, secret: null })
    expect(await active(fairlead)).toMatchObject({ state: 'connected', secret })
  })

  test('many proposals one after another are each judged', async () => {
    const fairlead = await open()
    for (const password of ['secret', 'wrong', 'secret', 'wrong', 'secret']) {
      const key = await propose(fairlead, password)
      expect(await ended(fairlead, key)).toEqual({ state: password === 'secret' ? 'accepted' : 'refused' })
    }
  })
})

test('C3: a CRM that has deleted many people is still the one we know', async () => {
  const fairlead = await open()
  const { id } = (await fairlead.connect())!
  const run = await fairlead.finished(await fairlead.startImport('lead'))
  fairlead.simulator.control.remove({ entity: 'lead', random: 200 })
  const { runId } = await sweeps.request(fairlead.db, fairlead.accountId, run.listId!, {
    trigger: 'api',
    settings: { confirmDeletions: 200 },
  })
  expect(await fairlead.finished(runId)).toMatchObject({ state: 'succeeded' })
  await connections.reset(fairlead.db, fairlead.accountId)
  expect(await fairlead.connect()).toMatchObject({ id, state: 'connected' })
})

describe('C4', () => {
  test('a failure of credentials that were replaced meanwhile does not hold the new ones', async () => {
    const fairlead = await open()
    await fairlead.connect()
    const before = await active(fairlead)
    await fairlead.connect()
    const problem = { code: 'loginRefused' as const, detail: 'old', remedy: 'old', at: new Date().toISOString() }
    await connections.needReconfirm(fairlead.db, before, problem)
    expect(await active(fairlead)).toMatchObject({ state: 'connected', problem: null })
    await connections.needReconfirm(fairlead.db, await active(fairlead), problem)
    expect(await active(fairlead)).toMatchObject({ state: 'needsReconfirm', problem: { detail: 'old' } })
  })

  test('every run hears of a reconfirmed login, also one that is about to be held', async () => {
    const fairlead = await open()
    await fairlead.connect()
    fairlead.simulator.control.settings({ latencyMs: 100, maxPage: 20 })
    const runId = await fairlead.startImport('lead')
    await until('it runs', async () => (await runs.get(fairlead.db, fairlead.accountId, runId)).state === 'running')
    await fairlead.connect()
    const signals = await fairlead.db
      .$client`select from outbox where kind = 'signal' and workflow_id = ${`import:${runId}`}`
    expect(signals).toHaveLength(1)
    expect(await fairlead.finished(runId)).toMatchObject({ state: 'succeeded' })
  })

  test('R21: lanes that are refused at once share one login check', async () => {
    const fairlead = await open()
    await fairlead.connect()
    fairlead.simulator.control.settings({ latencyMs: 60, maxPage: 20 })
    const runId = await fairlead.startImport('lead')
    await until('it reads', async () => (await runs.get(fairlead.db, fairlead.accountId, runId)).total !== null)
    fairlead.simulator.control.setUser({ username: 'admin', password: 'changed', role: 'admin' })
    await until('it is held', async () => (await runs.get(fairlead.db, fairlead.accountId, runId)).state === 'held')
    const logins = fairlead.simulator.control
      .journal()
      .filter(({ path, status }) => path.includes('getCurrentUser') && status === 401)
    expect(logins).toHaveLength(1)
    fairlead.simulator.control.setUser({ username: 'admin', password: 'secret', role: 'admin' })
    await fairlead.connect()
    expect(await fairlead.finished(runId)).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  })
})

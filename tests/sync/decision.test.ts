import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { update } from '../../src/db/account.ts'
import { operator } from '../../src/db/audit.ts'
import * as decisions from '../../src/db/decision.ts'
import { requestUndo } from '../../src/db/run/undo.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { openSteps, type Steps } from './steps.ts'

let fairlead: Fairlead
let crm: People
let leads: Steps
let second: Steps

const open = async (): Promise<Steps> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company', 'Title'], true))
  const list = await openList(fairlead, run.listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
  return openSteps(crm, list)
}

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 5, contacts: 5 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  await update(fairlead.db, fairlead.accountId, { ambiguousMatch: 'hold' }, operator)
  leads = await open()
  second = await open()
}, 60_000)
afterAll(() => fairlead.close())

let made = 0
const address = (): string => `who.${(made += 1)}@example.com`
const contact = (Email: string, Title: string): string =>
  crm.add('contact', { Email, FirstName: 'Who', LastName: 'Is It', Title })

const inbox = (state: 'open' | 'decided' | 'all' = 'open', list = leads) =>
  decisions.page(fairlead.db, fairlead.accountId, { state, listId: list.listId, limit: 10 })
const decide = (id: string, crmId: string | null) =>
  decisions.decide(fairlead.db, fairlead.accountId, id, crmId, operator)

describe('R4, hold: a record that may be several people', () => {
  const ask = async (count = 2) => {
    const email = address()
    const people = Array.from({ length: count }, (_, index) => contact(email, `Title ${index}`))
    const id = await leads.create({ Email: email, LastName: 'Here', Title: 'Ours' })
    await leads.run()
    return { email, id, people, question: (await inbox()).find(({ record }) => record.id === id)! }
  }

  test('is a question with the candidates side by side; the answer is remembered, and the next run goes by it', async () => {
    const { email, id, people, question } = await ask()
    expect(question).toMatchObject({ kind: 'match', state: 'open', crmId: null, decidedAt: null, closedAt: null })
    expect(question.record.values).toMatchObject({ Email: email, LastName: 'Here', Title: 'Ours' })
    const shown = Object.fromEntries(question.candidates.map((each) => [each.id, each.values]))
    expect(shown).toMatchObject({
      [people[0]!]: { Email: email, LastName: 'Is It', Title: 'Title 0' },
      [people[1]!]: { Email: email, LastName: 'Is It', Title: 'Title 1' },
    })
    // it is one question, with the candidates as they are now
    crm.control.edit({ entity: 'contact', id: people[1]!, values: { Title: 'Other' } })
    await leads.run()
    const [same, ...more] = await inbox()
    expect([same!.id, more]).toEqual([question.id, []])
    expect(same!.candidates.find((each) => each.id === people[1])).toMatchObject({ values: { Title: 'Other' } })

    await expect(decide(question.id, 'nobody')).rejects.toMatchObject({ code: 'invalidInput' })
    await expect(decide(question.id, null)).rejects.toMatchObject({ code: 'invalidInput' })
    await decide(question.id, people[0]!)
    await expect(decide(question.id, people[1]!)).rejects.toMatchObject({ code: 'alreadyDecided' })
    expect(await inbox()).toEqual([])
    expect((await leads.run()).of(id)).toMatchObject({ crmEntity: 'contact', crmId: people[0], agreed: {} })
    expect(crm.control.person('contact', people[0]!)).toMatchObject({ Title: 'Ours' })
    expect(crm.control.person('contact', people[1]!)).toMatchObject({ Title: 'Other' })
    expect(await inbox('decided')).toMatchObject([
      { id: question.id, state: 'decided', chosenId: people[0], closedAt: expect.anything() },
    ])
  })

  test('is asked about anew when the chosen one is gone, even where one is left', async () => {
    const { id, people, question } = await ask()
    await decide(question.id, people[0]!)
    crm.control.remove({ entity: 'contact', ids: [people[0]!] })
    for (const _ of [1, 2]) expect((await leads.run()).of(id)).toMatchObject({ crmId: null })
    const [anew, ...more] = await inbox()
    expect(more).toEqual([])
    expect(anew!.id).not.toBe(question.id)
    expect(anew!.candidates.map((each) => each.id)).toEqual([people[1]])
    await decide(anew!.id, people[1]!)
    expect((await leads.run()).of(id)).toMatchObject({ crmId: people[1] })
  })

  test('is asked about no more when it is removed, or when nobody else has the address', async () => {
    const removed = await ask()
    const settled = await ask()
    expect(await inbox()).toHaveLength(2)
    await leads.remove(removed.id)
    expect(await inbox()).toHaveLength(1)
    crm.control.remove({ entity: 'contact', ids: [settled.people[0]!] })
    expect((await leads.run()).of(settled.id)).toMatchObject({ crmId: settled.people[1] })
    expect(await inbox()).toEqual([])
    await expect(decide(settled.question.id, settled.people[0]!)).rejects.toMatchObject({ code: 'alreadyDecided' })
    const closed = (await inbox('all')).filter(({ state }) => state === 'closed')
    expect(closed.map((each) => each.record.id).toSorted()).toEqual([removed.id, settled.id].toSorted())
  })
})

describe('R16: a person whom several may have taken over', () => {
  /** A lead on both lists, converted to one of two contacts that have its address. */
  const convert = async () => {
    const email = address()
    const lead = crm.add('lead', { Email: email, FirstName: 'Con', LastName: 'Verted', Title: 'CEO', Company: 'Ltd' })
    const ids = [(await leads.run()).of(lead).id, (await second.run()).of(lead).id] as const
    const { contactId } = crm.control.convert({ leadId: lead })
    const rival = contact(email, 'CEO')
    for (const [at, list] of [leads, second].entries()) await list.edit(ids[at]!, { Title: 'Owner' })
    await leads.run()
    await second.run()
    const questions = [(await inbox('open', leads))[0]!, (await inbox('open', second))[0]!] as const
    return { lead, ids, contactId, rival, questions }
  }

  test('is a question on each list; one answer holds for all, and their next sync follows', async () => {
    const { lead, ids, contactId, rival, questions } = await convert()
    expect(questions[0]).toMatchObject({ kind: 'successor', crmEntity: 'lead', crmId: lead })
    expect(questions[0].candidates.map((each) => each.id).toSorted()).toEqual([contactId, rival].toSorted())
    await decide(questions[0].id, rival)
    expect([await inbox(), await inbox('open', second)]).toEqual([[], []])
    await expect(decide(questions[1].id, contactId)).rejects.toMatchObject({ code: 'alreadyDecided' })
    expect((await leads.run()).of(ids[0])).toMatchObject({ crmEntity: 'contact', crmId: rival, agreed: {} })
    expect((await second.run()).of(ids[1])).toMatchObject({ crmEntity: 'contact', crmId: rival })
    expect(crm.control.person('contact', rival)).toMatchObject({ Title: 'Owner' })
    expect(await inbox('decided', second)).toMatchObject([{ id: questions[1].id, closedAt: expect.anything() }])
    await leads.quiet()
  })

  test('is asked about anew when the chosen one is gone, and deleted when nobody took over', async () => {
    const { lead, ids, contactId, rival, questions } = await convert()
    await decide(questions[0].id, rival)
    crm.control.remove({ entity: 'contact', ids: [rival] })
    expect((await leads.run()).of(ids[0])).toMatchObject({ crmEntity: 'lead', crmId: lead })
    const [anew] = await inbox()
    expect(anew).toMatchObject({ kind: 'successor', candidates: [{ id: contactId }] })
    await decide(anew!.id, null)
    expect((await leads.run()).of(ids[0])).toMatchObject({ crmId: lead, state: 'deletedInCrm' })
    expect((await second.run()).of(ids[1])).toMatchObject({ crmId: lead, state: 'deletedInCrm' })
    expect((await leads.run('sweep')).of(ids[0])).toMatchObject({ state: 'deletedInCrm' })
    expect([await inbox(), await inbox('open', second)]).toEqual([[], []])
  })

  test('stays a question when a run that had written to that person is undone', async () => {
    const email = address()
    const lead = crm.add('lead', { Email: email, FirstName: 'Un', LastName: 'Done', Title: 'CEO', Company: 'Ltd' })
    const { id } = (await leads.run()).of(lead)
    await leads.edit(id, { Title: 'Pushed' })
    await leads.run()
    const [pushed] = await fairlead.db.$client<[{ runId: string }]>`
      select last_run_id::text as "runId" from entries where record_id = ${id} and phase = 'push' and kind = 'updated'`
    const { contactId } = crm.control.convert({ leadId: lead })
    const rival = contact(email, 'CEO')
    await leads.edit(id, { Title: 'Owner' })
    await leads.run()
    const [question] = await inbox()
    const { runId } = await requestUndo(fairlead.db, fairlead.accountId, pushed.runId)
    await fairlead.wiring.relay()
    expect((await fairlead.finished(runId)).counts).toMatchObject({ push: { read: 1, skipped: 1 } })
    expect(await inbox()).toMatchObject([{ id: question!.id, state: 'open' }])
    await decide(question!.id, rival)
    expect((await leads.run()).of(id)).toMatchObject({ crmId: rival })
    expect(contactId).not.toBe(rival)
  })
})

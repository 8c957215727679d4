import { expect, onTestFinished, test } from 'vitest'
import { differences } from './support/compare.ts'
import { openFairlead } from './support/fairlead.ts'
import { startWorker } from './support/worker.ts'

test.each([401, 403] as const)(
  'R21: two workers read a CRM that refuses a second session with %i, one request at a time: no password is called wrong, nobody is left out',
  async (oneSession) => {
    const fairlead = await openFairlead({ worker: false, leads: 1200, contacts: 1200, maxPage: 100, latencyMs: 20 })
    onTestFinished(() => fairlead.close())
    await Promise.all([startWorker(fairlead), startWorker(fairlead)])
    await fairlead.connect()
    // It was slowed down twice before, and that helped: the next time its limit becomes one. What the login said of the pace may come after this.
    const sql = fairlead.db.$client
    await sql`
      insert into paces (account_id, connection_id, allowed, refusals) select account_id, id, concurrency, 2 from connections
      on conflict (connection_id) do update set refusals = 2`
    fairlead.simulator.control.settings({ oneSession })
    // With two lanes and two comparisons each, it is certain that both workers have some of them at the same time.
    const lists = (['lead', 'contact', 'lead', 'contact'] as const).map(async (entity) => ({
      entity,
      run: await fairlead.finished(await fairlead.startImport(entity, ['WorkPhone', 'Title', 'Address/City'], true)),
    }))
    const done = await Promise.all(lists)
    for (const { run } of done)
      expect(run).toMatchObject({ state: 'succeeded', error: null, balance: { balanced: true, listTotal: 1200 } })
    const said = done.flatMap(({ run }) => run.warnings.map(({ code }) => code))
    if (oneSession === 401) expect(said).toContain('oneSession')
    expect([...(await sql`select state, problem from connections`)]).toEqual([{ state: 'connected', problem: null }])
    for (const { entity, run } of done) expect(await differences(fairlead, run.listId!, entity)).toEqual([])
  },
  60_000,
)

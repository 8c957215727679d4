import { expect } from 'vitest'
import { sumsAgree, type EntryRow, type Held, type TestList } from '../support/sync.ts'
import type { People } from './people.ts'

/** A list whose runs must go well, and what came of them. */
export const openSteps = (crm: People, list: TestList) => {
  const run = async (kind: 'sync' | 'sweep' | 'verify' = 'sync') => {
    const done = await list.run(kind)
    expect(done).toMatchObject({ state: 'succeeded', error: null })
    expect(sumsAgree(done)).toBe(true)
    const records = await list.records()
    const entries = await list.entries(done.id)
    return {
      total: done.total,
      counts: done.counts!,
      /** by its own id, else by that of its person */
      of: (id: string): Held => {
        const found = records.find((record) => record.id === id) ?? records.find((record) => record.crmId === id)
        if (found === undefined) throw new Error(`the list has no record ${id}`)
        return found
      },
      has: (id: string): boolean => records.some(({ crmId }) => crmId === id),
      said: (id: string): EntryRow[] => entries.filter(({ recordId, crmId }) => recordId === id || crmId === id),
    }
  }
  return {
    ...list,
    run,
    /** A further sync writes nothing, on neither side. */
    quiet: async (): Promise<void> => {
      crm.takeWrites()
      const before = await list.records()
      await run()
      expect(crm.takeWrites()).toEqual([])
      expect(await list.records()).toEqual(before)
    },
  }
}

export type Steps = ReturnType<typeof openSteps>

import type { CrmEntity } from '../../src/domain/crm.ts'
import type { Line } from '../../src/simulator/journal.ts'
import type { Fairlead } from '../support/fairlead.ts'

export type Truth = { Id: string; [name: string]: unknown }

/** One change that a client sent: to whom (null for a new lead) and the JSON of it. */
export type Write = { id: string | null; body: string }

const target = /\/(?:leads|contacts)\('([^']+)'\)/

/** Every change of people that the CRM was sent, the items of a batch one by one. */
export const writesIn = (lines: readonly Line[]): Write[] =>
  lines.flatMap(({ method, path, body = '' }): Write[] => {
    if (!['POST', 'PUT', 'DELETE'].includes(method) || !path.includes('/dynamic/-/')) return []
    if (!path.includes('$batch')) return [{ id: target.exec(path)?.[1] ?? null, body }]
    const items = (JSON.parse(body) as { $resources: { $url?: string }[] }).$resources
    return items.map((item) => ({ id: target.exec(item.$url ?? '')?.[1] ?? null, body: JSON.stringify(item) }))
  })

/** What a test sees of the simulated CRM. */
export const openPeople = ({ simulator }: Pick<Fairlead, 'simulator'>) => {
  const { control } = simulator
  return {
    control,
    /** the writes since this was asked last */
    takeWrites: (): Write[] => {
      const lines = control.journal()
      if (lines.length >= 2000) throw new Error('the journal may have lost lines')
      control.resetGauges()
      return writesIn(lines)
    },
    add: (entity: CrmEntity, values: Record<string, unknown>): string => control.add({ entity, values }).ids[0]!,
    /** everybody as they are, leads and contacts, by id */
    everybody: (): Map<string, Truth & { entity: CrmEntity }> =>
      new Map(
        (['lead', 'contact'] as const).flatMap((entity) =>
          control.people({ entity, count: 100_000 }).items.map((person) => [person.Id, { ...person, entity }] as const),
        ),
      ),
  }
}

export type People = ReturnType<typeof openPeople>

const stamps = /^(Modify(Date|User)|Create(Date|User))$/

/** Which values of a person are others than before, `Address/City` for those of the address; stamps aside. */
export const changed = (before: Truth, after: Truth): Record<string, unknown> => {
  const differing: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(after)) {
    if (stamps.test(name)) continue
    const old = before[name]
    if (name === 'Address') {
      const inner = changed((old ?? {}) as Truth, (value ?? {}) as Truth)
      for (const [part, each] of Object.entries(inner)) differing[`Address/${part}`] = each
    } else if (old !== value) differing[name] = value
  }
  return differing
}

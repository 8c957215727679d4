import { expect } from 'vitest'
import type { Fairlead } from './fairlead.ts'
import type { TestList } from './sync.ts'

export type NewPerson = { Email: string; LastName: string; Company: string }

/** People whom the CRM does not know, each with an address of their own. */
export const newPeople = (count: number, tag: string): NewPerson[] =>
  Array.from({ length: count }, (_, index) => ({
    Email: `${tag}.${index}@new.example`,
    LastName: `Person ${index}`,
    Company: `${tag} Ltd`,
  }))

export const addAll = async (list: TestList, people: NewPerson[]): Promise<string[]> => {
  const ids: string[] = []
  for (const person of people) ids.push(await list.create(person))
  return ids
}

/** Requests for new leads that reached the CRM, answered or not; the journal keeps the last 2,000 requests. */
export const createsAt = ({ simulator }: Fairlead): number =>
  simulator.control.journal().filter(({ method, path }) => method === 'POST' && path.endsWith('/leads')).length

/** Ids of the CRM's leads by their address in lower case. */
export const leadsByEmail = ({ simulator }: Fairlead): Map<string, string[]> => {
  const { items } = simulator.control.people({ entity: 'lead', count: 1_000_000, select: ['Id', 'Email'] })
  const byEmail = new Map<string, string[]>()
  for (const { Id, Email } of items) {
    const email = String(Email ?? '').toLowerCase()
    byEmail.set(email, [...(byEmail.get(email) ?? []), Id])
  }
  return byEmail
}

/** R7: exactly one lead for each address, and the record of each list linked to it, with nothing pending. */
export const expectOneLeadEach = async (fairlead: Fairlead, lists: TestList[], people: NewPerson[]): Promise<void> => {
  const leads = leadsByEmail(fairlead)
  const found = people.map(({ Email }) => leads.get(Email.toLowerCase()) ?? [])
  expect(found.map((ids) => ids.length)).toEqual(people.map(() => 1))
  for (const list of lists) {
    const records = await list.records()
    const links = people.map(({ Email }) =>
      records
        .filter(({ values, removed }) => values['Email'] === Email && !removed)
        .map(({ crmEntity, crmId, agreed }) => ({ crmEntity, crmId, agreed })),
    )
    expect(links).toEqual(found.map(([crmId]) => [{ crmEntity: 'lead', crmId, agreed: {} }]))
  }
}

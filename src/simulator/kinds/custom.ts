import { dice } from '../hash.ts'
import { property, text, type Property, type Storage, type Value } from '../model.ts'
import type { Person } from './people.ts'
import { dateOnly } from './times.ts'
import { picklists, type Item } from './picklists.ts'

/** What the tenant added to an entity: one property of each kind that can go wrong on the way. */
export type StoreItem = (item: Item, storage: Storage) => string

export const picked = (
  person: Person,
  store: StoreItem,
  name: string,
  list: string,
  more: Partial<Property> & { share?: number } = {},
): Property => {
  const { share, ...rest } = more
  const items = picklists.find((candidate) => candidate.name === list)?.items ?? []
  const which = person.oneOf(
    `picklist.${name}`,
    items.map((_, index) => index),
    share ?? 700,
  )
  const storage = rest.storage ?? 'text'
  return property(name, 'picklist', {
    length: 64,
    picklist: list,
    make(n) {
      const index = which(n)
      const item = index === null ? undefined : items[Number(index)]
      return item === undefined ? null : store(item, storage)
    },
    ...rest,
  })
}

export const customProperties = (seed: number, entity: string, person: Person, store: StoreItem): Property[] => {
  const roll = (name: string) => dice(seed, `${entity}.${name}`)
  const [score, budget, birthday, visit] = [roll('score'), roll('budget'), roll('birthday'), roll('visit')]
  const bigBudget = (r: number): Value =>
    `${12345678901234567n + BigInt(r % 1000)}.${String(89 + (r % 10))
      .padStart(2, '0')
      .slice(-2)}`
  const list = [
    text('CRegion', 40, person.oneOf('region', ['North', 'South', 'East', 'West', 'Süd-West', 'EMEA / APAC'], 800)),
    property('CScore', 'number', {
      make: (n) => (score(n) % 10 === 0 ? null : (score(n) % 10_000) / 100),
    }),
    property('CBudget', 'decimal', {
      make(n) {
        const r = budget(n)
        if (r % 4 === 0) return null
        return r % 50 === 1 ? bigBudget(r >>> 8) : `${r % 1_000_000}.${String((r >>> 7) % 100).padStart(2, '0')}`
      },
    }),
    property('CNewsletter', 'boolean', { make: person.oneOf('newsletter', [true, false, null]) }),
    property('CBirthday', 'date', {
      make(n) {
        const r = birthday(n)
        return r % 3 === 0 ? null : dateOnly(1931 + (r % 75), (r >>> 8) % 12, 1 + ((r >>> 12) % 28))
      },
    }),
    property('CLastVisit', 'instant', {
      make(n) {
        const r = visit(n)
        return r % 5 === 0 ? Date.UTC(2020, r % 12, 1 + ((r >>> 8) % 28), (r >>> 16) % 24, 30) : null
      },
    }),
    property('CVisits', 'integer', { make: person.oneOf('visits', [0, 1, 2, 3, 5, 8, null]) }),
    picked(person, store, 'CSegment', 'Segment', { storage: 'code' }),
    picked(person, store, 'CTier', 'Tier', { storage: 'id' }),
    property('CProfile', 'memo', { make: person.memo }),
  ]
  return list.map((item) => ({ ...item, custom: true }))
}

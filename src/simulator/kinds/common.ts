import { dice, pick } from '../hash.ts'
import { property, read, relation, type Property, type Relation, type Row, type Value } from '../model.ts'
import type { StoreItem } from './custom.ts'
import type { Person } from './people.ts'
import { staff } from './staffList.ts'

export type Making = { seed: number; leads: number; contacts: number; accounts: number; store: StoreItem }

/** Opted out, opted in, never asked: three in a hundred say no, one in ten was never asked. */
const consent = [...Array<Value>(87).fill(false), true, true, true, ...Array<Value>(10).fill(null)]

export const flag = (person: Person, name: string): Property =>
  property(name, 'boolean', { make: person.oneOf(name, consent) })

export const trail = (person: Person, nullModified: boolean): Property[] => {
  const userIds = staff.map((user) => user.id)
  const odd = person.oneOf('nullModified', [true], nullModified ? 5 : 0)
  return [
    property('CreateUser', 'id', { length: 12, readOnly: true, make: person.oneOf('createUser', userIds) }),
    property('CreateDate', 'instant', { readOnly: true, make: person.times.createdAt }),
    property('ModifyUser', 'id', { length: 12, readOnly: true, make: person.oneOf('modifyUser', userIds) }),
    property('ModifyDate', 'instant', {
      readOnly: true,
      make: (n) => (odd(n) === null ? person.times.modifiedAt(n) : null),
    }),
  ]
}

export const keepers = (seed: number, entity: string): Relation[] => {
  const [owner, manager] = [dice(seed, `${entity}.owner`), dice(seed, `${entity}.manager`)]
  return [
    relation('AccountManager', 'users', (n) => pick(staff, manager(n)).id),
    relation('Owner', 'owners', (n) => {
      const roll = owner(n)
      return roll % 10 < 8 ? 'SYST00000001' : pick(staff, roll >>> 8).ownerId
    }),
  ]
}

const shown = (value: Value): string => (value === null ? '' : String(value))

/** Texts joined of those that are there. */
export const joined = (name: string, parts: Property[], join: (values: string[]) => string, length = 128): Property =>
  property(name, 'calculated', {
    length,
    derive: (row: Row) => join(parts.map((part) => shown(read(row, part)))),
  })

export const upper = (name: string, of: Property): Property =>
  property(name, 'text', {
    length: of.length,
    derive: (row) => {
      const value = read(row, of)
      return value === null ? null : String(value).toUpperCase()
    },
  })

/** `Hogan, Lee`: written with every row, so without lists in between. */
export const lastFirst = (name: string, last: Property, first: Property): Property =>
  property(name, 'calculated', {
    length: 128,
    derive(row) {
      const [after, before] = [shown(read(row, last)), shown(read(row, first))]
      return before === '' ? after : `${after}, ${before}`
    },
  })

export const words = (values: string[]): string => values.filter((value) => value !== '').join(' ')

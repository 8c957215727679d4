import { idSpaces } from '../ids.ts'
import { kindOf, property, read, relation, text, texts, type Kind } from '../model.ts'
import { makeStore } from '../store.ts'
import { keepers, trail, upper, type Making } from './common.ts'
import { picked } from './custom.ts'
import { makePeople } from './people.ts'

export const accountNames = (seed: number) => {
  const { company } = makePeople(seed, 'accounts')
  return (n: number): string => `${company(n)} ${n.toString(36).toUpperCase()}`
}

/** About one account for five contacts */
export const makeAccounts = ({ seed, contacts, accounts, store }: Making): Kind => {
  const person = makePeople(seed, 'accounts')
  const name = text('AccountName', 128, accountNames(seed))
  return kindOf({
    name: 'accounts',
    entity: 'Account',
    table: 'ACCOUNT',
    store: makeStore(idSpaces.accounts, accounts),
    describe: (row) => String(read(row, name)),
    properties: [
      name,
      upper('AccountNameUpper', name),
      property('MainPhone', 'phone', { length: 32, make: person.phone('MainPhone') }),
      property('Fax', 'phone', { length: 32 }),
      property('WebAddress', 'url', { length: 128 }),
      picked(person, store, 'Type', 'Account Type', { share: 900 }),
      text('SubType', 64),
      picked(person, store, 'Status', 'Account Status', { share: 900 }),
      picked(person, store, 'Industry', 'Industry', { share: 700 }),
      ...texts('Description 128, Division 64, Region 64'),
      text('Employees', 32, person.oneOf('employees', ['12', '300', '1,000+'], 300)),
      text('Revenue', 32),
      ...trail(person, false),
    ],
    relations: [
      ...keepers(seed, 'accounts'),
      relation('Address', 'addresses', (n) => idSpaces.addresses.at(contacts + n)),
      relation('ShippingAddress', 'addresses'),
    ],
    collections: [
      { name: 'Contacts', target: 'contacts', by: 'AccountId' },
      { name: 'Addresses', target: 'addresses', by: 'EntityId' },
    ],
  })
}

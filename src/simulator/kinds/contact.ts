import { dice } from '../hash.ts'
import { idSpaces } from '../ids.ts'
import { kindOf, property, read, relation, text, texts, type Kind } from '../model.ts'
import { makeStore } from '../store.ts'
import { accountNames } from './account.ts'
import { flag, joined, keepers, lastFirst, trail, upper, words, type Making } from './common.ts'
import { customProperties, picked } from './custom.ts'
import { makePeople } from './people.ts'
import { dateOnly } from './times.ts'
import { departments } from './words.ts'

/** Contacts of the standard model. */
export const makeContacts = ({ seed, leads, contacts, accounts, store }: Making): Kind => {
  const leadMail = makePeople(seed, 'leads').plainEmail
  const person = makePeople(seed, 'contacts', leads === 0 ? undefined : (n) => leadMail(n % leads))
  const [accountRoll, addressRoll, birthday, graduated] = ['account', 'address', 'birthday', 'graduated'].map((name) =>
    dice(seed, `contacts.${name}`),
  ) as [(n: number) => number, (n: number) => number, (n: number) => number, (n: number) => number]
  const accountName = accountNames(seed)
  const accountOf = (n: number): number => accountRoll(n) % accounts
  const prefix = picked(person, store, 'Prefix', 'Name Prefix', { length: 16, share: 400 })
  const first = text('FirstName', 32, person.first)
  const last = text('LastName', 32, person.last)
  const nameLF = lastFirst('NameLF', last, first)
  const phones = ['WorkPhone', 'HomePhone', 'Mobile', 'OtherPhone', 'Fax', 'Pager', 'PagerNumeric']
  return kindOf({
    name: 'contacts',
    entity: 'Contact',
    table: 'CONTACT',
    store: makeStore(idSpaces.contacts, contacts),
    describe: (row) => String(read(row, nameLF)),
    properties: [
      text('AccountName', 128, (n) => accountName(accountOf(n))),
      prefix,
      first,
      text('MiddleName', 32),
      last,
      upper('LastNameUpper', last),
      picked(person, store, 'Suffix', 'Name Suffix', { length: 16, share: 40 }),
      text('Salutation', 64, person.oneOf('salutation', ['Dear', 'Hi'], 200)),
      text('Initials', 32),
      picked(person, store, 'Title', 'Title'),
      text('Department', 32, person.oneOf('department', departments, 500)),
      text('Description', 128, person.oneOf('description', ['Key user', 'Board'], 200)),
      property('Email', 'email', { length: 128, make: person.email }),
      property('SecondaryEmail', 'email', {
        length: 128,
        make: (n) => (n % 40 === 9 ? `second.${person.plainEmail(n)}` : null),
      }),
      property('Email3', 'email', { length: 128 }),
      ...phones.map((name) => property(name, 'phone', { length: 32, make: person.phone(name) })),
      ...texts('PinNumber 32'),
      property('WebAddress', 'url', { length: 128, make: person.oneOf('web', ['www.example.com'], 200) }),
      property('WebAddress2', 'url', { length: 128 }),
      picked(person, store, 'Type', 'Contact Type', { share: 600 }),
      text('SubType', 64),
      picked(person, store, 'Status', 'Contact Status', { share: 950 }),
      ...texts('Referral 64, ReportsTo 64, Assistant 64'),
      picked(person, store, 'PreferredContact', 'Preferred Contact', { share: 300 }),
      text('Interests', 128, person.oneOf('interests', ['Golf', 'Wine, cheese', 'Cycling'], 200)),
      text('CuisinePreference', 64),
      property('Birthday', 'date', {
        make: (n) =>
          birthday(n) % 3 === 0
            ? dateOnly(1940 + (birthday(n) % 65), (birthday(n) >>> 8) % 12, 1 + ((birthday(n) >>> 12) % 28))
            : null,
      }),
      text('Spouse', 32),
      property('SpouseBirthday', 'date'),
      ...texts('Children 64, Alumni 64'),
      property('YearGraduated', 'integer', {
        make: (n) => (graduated(n) % 4 === 0 ? 1960 + (graduated(n) % 60) : null),
      }),
      text('PreviousEmployer', 64),
      property('Directions', 'memo', { make: person.note }),
      text('Score', 32, person.oneOf('score', ['10', '55', 'A+'], 200)),
      ...texts('ImportSource 24, Categories 255, LocationCode 32'),
      ...['IsPrimary', 'IsServiceAuthorized', 'DoNotSolicit', 'DoNotEmail', 'DoNotFax', 'DoNotMail', 'DoNotPhone'].map(
        (name) => flag(person, name),
      ),
      property('LastHistoryDate', 'instant'),
      property('LastHistoryBy', 'id', { length: 12 }),
      text('WebUserName', 40, (n) => `web${n.toString(36)}`, { secret: true }),
      text('WebPassword', 40, (n) => `never-read-${n}`, { secret: true }),
      text('WebPasswordHint', 40, (n) => `hint-${n}`, { secret: true }),
      ...trail(person, false),
      joined('Name', [first, last], words),
      nameLF,
      joined('NamePFL', [prefix, first, last], words),
      joined('FullName', [prefix, first, last], words),
      ...customProperties(seed, 'contacts', person, store),
    ],
    relations: [
      relation('Account', 'accounts', (n) => idSpaces.accounts.at(accountOf(n))),
      ...keepers(seed, 'contacts'),
      relation('Address', 'addresses', (n) => (addressRoll(n) % 50 === 0 ? null : idSpaces.addresses.at(n))),
      relation('ShippingAddress', 'addresses', (n) => (addressRoll(n) % 10 === 1 ? idSpaces.addresses.at(n) : null)),
    ],
    collections: [{ name: 'Addresses', target: 'addresses', by: 'EntityId' }],
  })
}

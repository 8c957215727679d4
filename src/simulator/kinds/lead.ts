import { dice, pick } from '../hash.ts'
import { idSpaces } from '../ids.ts'
import { kindOf, property, read, relation, text, texts, type Kind } from '../model.ts'
import { makeStore } from '../store.ts'
import { flag, joined, keepers, lastFirst, trail, upper, words, type Making } from './common.ts'
import { customProperties, picked } from './custom.ts'
import { makePeople } from './people.ts'
import { leadSourceIds } from './staff.ts'
import { dateOnly } from './times.ts'
import { employees } from './words.ts'

/** Leads of the standard model. */
export const makeLeads = ({ seed, leads, store }: Making): Kind => {
  const person = makePeople(seed, 'leads')
  const [addressRoll, sourceRoll, assigned] = [
    dice(seed, 'leads.address'),
    dice(seed, 'leads.source'),
    dice(seed, 'leads.assigned'),
  ]
  const company = text('Company', 128, person.company)
  const prefix = picked(person, store, 'Prefix', 'Name Prefix', { length: 16, share: 400 })
  const first = text('FirstName', 32, person.first)
  const last = text('LastName', 32, person.last)
  const fullName = lastFirst('LeadNameLastFirst', last, first)
  return kindOf({
    name: 'leads',
    entity: 'Lead',
    table: 'LEAD',
    store: makeStore(idSpaces.leads, leads),
    describe: (row) => String(read(row, fullName)),
    properties: [
      company,
      upper('CompanyUpper', company),
      prefix,
      first,
      text('MiddleName', 32, person.oneOf('middle', ['A.', 'J.', 'M.', 'van'], 150)),
      last,
      upper('LastNameUpper', last),
      picked(person, store, 'Suffix', 'Name Suffix', { length: 16, share: 40 }),
      picked(person, store, 'Title', 'Title'),
      property('Email', 'email', { length: 128, make: person.email }),
      ...['WorkPhone', 'HomePhone', 'Mobile', 'TollFree', 'Fax'].map((name) =>
        property(name, 'phone', { length: 32, make: person.phone(name) }),
      ),
      property('WebAddress', 'url', {
        length: 128,
        make: person.oneOf('web', ['www.example.com', 'http://example.org/?a=1&b=2'], 300),
      }),
      text('Description', 128, person.oneOf('description', ['Met at fair', 'Cold call', 'Web "form"'], 300)),
      text('BusinessDescription', 2000),
      picked(person, store, 'Industry', 'Industry', { share: 800 }),
      text('SICCode', 64),
      text('Interests', 128, person.oneOf('interests', ['Golf', 'Wine, cheese', 'Cycling'], 200)),
      property('Notes', 'memo', { make: person.note }),
      picked(person, store, 'Status', 'Lead Status', { share: 950 }),
      picked(person, store, 'Type', 'Lead Type', { share: 600 }),
      text('Priority', 32, person.oneOf('priority', ['High', 'Medium', 'Low'], 500)),
      ...texts('Division 64, CreditRating 10, DataQuality 32'),
      text('Revenue', 32, person.oneOf('revenue', ['1000000', '2.5m', '10,000', '< 1M'], 300)),
      text('Employees', 32, person.oneOf('employees', employees, 400)),
      text('Ticker', 16),
      picked(person, store, 'PreferredContact', 'Preferred Contact', { share: 300 }),
      ...texts('ImportSource 24, ImportId 12'),
      flag(person, 'IsPrimary'),
      ...['DoNotSolicit', 'DoNotEmail', 'DoNotFAX', 'DoNotMail', 'DoNotPhone'].map((name) => flag(person, name)),
      property('AssignDate', 'instant', {
        make: (n) => (assigned(n) % 4 === 0 ? dateOnly(2023, assigned(n) % 12, 9) : null),
      }),
      property('LastCallDate', 'instant'),
      property('NextCallDate', 'instant'),
      ...Array.from({ length: 10 }, (_, n) =>
        text(`UserField${n + 1}`, 80, person.oneOf(`user${n}`, ['x', 'yes', ' 1 '], n < 2 ? 100 : 0)),
      ),
      ...trail(person, true),
      fullName,
      joined('LeadNameFirstLast', [first, last], words),
      joined('LeadNamePrefixFirstLast', [prefix, first, last], words),
      joined('LeadFullName', [prefix, first, last], words),
      ...customProperties(seed, 'leads', person, store),
    ],
    relations: [
      ...keepers(seed, 'leads'),
      relation('Address', 'leadAddresses', (n) => (addressRoll(n) % 50 === 0 ? null : idSpaces.leadAddresses.at(n))),
      relation('LeadSource', 'leadSources', (n) =>
        sourceRoll(n) % 3 === 0 ? null : pick(leadSourceIds, sourceRoll(n) >>> 4),
      ),
    ],
    collections: [{ name: 'Addresses', target: 'leadAddresses', by: 'LeadId' }],
  })
}

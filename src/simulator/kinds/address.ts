import { dice, pick } from '../hash.ts'
import { idSpaces } from '../ids.ts'
import { kindOf, property, text, texts, type Kind, type Property } from '../model.ts'
import { makeStore } from '../store.ts'
import { flag, joined, trail, words, type Making } from './common.ts'
import { makePeople } from './people.ts'
import { countries, streets } from './words.ts'

const lines = (seed: number, name: string) => {
  const person = makePeople(seed, name)
  const [place, street] = [dice(seed, `${name}.place`), dice(seed, `${name}.street`)]
  const land = (n: number) => pick(countries, place(n) % 10 < 6 ? 0 : place(n) >>> 8)
  const city = text('City', 32, (n) => (place(n) % 101 === 0 ? null : pick(land(n).cities, place(n) >>> 12)))
  const state = text('State', 32, (n) => pick(land(n).state, place(n) >>> 14))
  const zip = text('PostalCode', 24, (n) => land(n).zip(street(n)))
  const address1 = text('Address1', 64, (n) => `${1 + (street(n) % 999)} ${pick(streets, street(n) >>> 10)} St.`)
  const country = text('Country', 32, (n) => (place(n) % 83 === 0 ? null : pick(land(n).names, place(n) >>> 16)))
  const oneLine = (values: string[]): string => values.filter((value) => value !== '').join(', ')
  const properties: Property[] = [
    address1,
    text('Address2', 64, person.oneOf('address2', ['Suite 5', '2nd floor', 'c/o Müller'], 150)),
    ...texts('Address3 64, Address4 64'),
    city,
    state,
    zip,
    country,
    text('County', 32, person.oneOf('county', ['Kent', 'Orange', 'Cook'], 200)),
    text('Description', 64, person.oneOf('description', ['Office', 'Mailing', 'Home'], 900)),
    ...texts('Type 64, Salutation 64, Routing 64, TimeZone 64'),
    property('IsPrimary', 'boolean', { make: () => true }),
    flag(person, 'IsMailing'),
    ...trail(person, false),
  ]
  return {
    properties,
    fullAddress: joined('FullAddress', [address1, city, state, zip, country], oneLine, 512),
    cityLine: [city, state, zip],
    address1,
  }
}

/** A lead's own address, without a feed */
export const makeLeadAddresses = ({ seed, leads }: Making): Kind => {
  const { properties, fullAddress, cityLine } = lines(seed, 'leadAddresses')
  return kindOf({
    name: 'leadAddresses',
    entity: 'LeadAddress',
    table: 'LEAD_ADDRESS',
    feed: false,
    store: makeStore(idSpaces.leadAddresses, leads),
    describe: () => '',
    properties: [
      ...properties,
      property('LeadId', 'id', { length: 12, readOnly: true, make: (n) => idSpaces.leads.at(n) }),
      joined('LeadCtyStZip', cityLine, words),
      fullAddress,
    ],
  })
}

/** Addresses: those of the contacts first, then those of the accounts */
export const makeAddresses = ({ seed, contacts, accounts }: Making): Kind => {
  const { properties, fullAddress, cityLine, address1 } = lines(seed, 'addresses')
  return kindOf({
    name: 'addresses',
    entity: 'Address',
    table: 'ADDRESS',
    store: makeStore(idSpaces.addresses, contacts + accounts),
    describe: () => '',
    properties: [
      ...properties,
      property('EntityId', 'id', {
        length: 12,
        make: (n) => (n < contacts ? idSpaces.contacts.at(n) : idSpaces.accounts.at(n - contacts)),
      }),
      joined('CityStateZip', cityLine, words),
      joined('StreetAddress', [address1], words),
      fullAddress,
    ],
  })
}

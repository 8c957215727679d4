import type { CrmEntity } from '../crm.ts'

/** What a standard field can be in the CRM. `aliases`: common names of such columns, English and German, none of two usages. */
export type Usage = {
  code: string
  label: string
  address: boolean
  aliases: readonly string[]
} & Record<CrmEntity, string | null>

const usage =
  (address: boolean) =>
  <Code extends string>(
    code: Code,
    label: string,
    lead: string | null,
    contact: string | null,
    aliases = '',
  ): Usage & { code: Code } => ({
    code,
    label,
    lead,
    contact,
    address,
    aliases: aliases.split(', ').filter((name) => name !== ''),
  })

const own = usage(false)
const inAddress = <Code extends string>(code: Code, label: string, part: string, aliases = '') =>
  usage(true)(code, label, `Address/${part}`, `Address/${part}`, aliases)

const addressUsages = [
  inAddress(
    'businessStreet',
    'Business Street',
    'Address1',
    'Street, Street 1, Street Address, Business Street 1, Business Address, Address, Address 1, Address Line 1, Straße, Straße 1, Straße und Hausnummer, Straße Hausnummer, Adresse, Anschrift',
  ),
  inAddress(
    'businessStreet2',
    'Business Street 2',
    'Address2',
    'Street 2, Address 2, Address Line 2, Straße 2, Adresse 2, Adresszusatz, Adresszeile 2',
  ),
  inAddress(
    'businessStreet3',
    'Business Street 3',
    'Address3',
    'Street 3, Address 3, Address Line 3, Straße 3, Adresse 3, Adresszeile 3',
  ),
  inAddress(
    'businessStreet4',
    'Business Street 4',
    'Address4',
    'Street 4, Address 4, Address Line 4, Straße 4, Adresse 4, Adresszeile 4',
  ),
  inAddress('businessCity', 'Business City', 'City', 'City, Town, Ort, Stadt, Wohnort'),
  inAddress(
    'businessState',
    'Business State',
    'State',
    'State, Province, State/Province, State or Province, Bundesland, Kanton',
  ),
  inAddress(
    'businessZip',
    'Business Zip',
    'PostalCode',
    'Zip, Zip Code, Business Zip Code, Postal Code, Business Postal Code, Postcode, PLZ, Postleitzahl',
  ),
  inAddress('businessCountry', 'Business Country', 'Country', 'Country, Land'),
  inAddress('businessCounty', 'Business County', 'County', 'County, Landkreis, Kreis'),
] as const

const ownUsages = [
  own(
    'company',
    'Company',
    'Company',
    'AccountName',
    'Company Name, Account, Account Name, Organisation, Organization, Firma, Firmenname, Unternehmen',
  ),
  own('title', 'Title', 'Title', 'Title', 'Job Title, Position, Berufsbezeichnung, Funktion'),
  own('department', 'Department', null, 'Department', 'Abteilung'),
  own('prefix', 'Prefix', 'Prefix', 'Prefix', 'Name Prefix, Anrede'),
  own('middleName', 'Middle Name', 'MiddleName', 'MiddleName', 'Zweiter Vorname'),
  own('suffix', 'Suffix', 'Suffix', 'Suffix', 'Name Suffix, Namenszusatz'),
  own(
    'workPhone',
    'Work Phone',
    'WorkPhone',
    'WorkPhone',
    'Phone, Telephone, Business Phone, Phone Number, Telefon, Telefonnummer, Telefon geschäftlich',
  ),
  own('mobile', 'Mobile', 'Mobile', 'Mobile', 'Mobile Phone, Cell Phone, Mobil, Handy, Mobiltelefon'),
  own('homePhone', 'Home Phone', 'HomePhone', 'HomePhone', 'Telefon privat, Private Phone'),
  own('fax', 'Fax', 'Fax', 'Fax', 'Fax Number, Faxnummer, Telefax'),
  own('webAddress', 'Web Address', 'WebAddress', 'WebAddress', 'Website, Homepage, URL, Webseite'),
  own('industry', 'Industry', 'Industry', null, 'Branche'),
  own('interests', 'Interests', 'Interests', 'Interests', 'Interessen'),
] as const

export const usages = [...addressUsages, ...ownUsages]
type UsageCode = (typeof usages)[number]['code']
export const usageCodes = usages.map(({ code }) => code) as [UsageCode, ...UsageCode[]]

const byCode = new Map<string, Usage>(usages.map((each) => [each.code, each]))
export const usageOf = (code: string | null): Usage | undefined => (code === null ? undefined : byCode.get(code))

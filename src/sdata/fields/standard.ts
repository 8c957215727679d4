import type { CrmEntity, FieldType } from '../../domain/crm.ts'

const words = (list: string): string[] => list.split(/[\s,]+/).filter((word) => word !== '')

const userFields = Array.from({ length: 10 }, (_, at) => `UserField${at + 1}`)
const record = words('Id, CreateDate, CreateUser, ModifyDate, ModifyUser, SeccodeId, IsPrimary')

// The 7.5.2 model with what 8.x and 9.x added (sdata.md 8.1-8.4); a name that is not here was made by the customer.
const lead = words(`
  LeadId, Company, CompanyUpper, Prefix, FirstName, MiddleName, LastName, LastNameUpper, Suffix, Title, Email, WorkPhone, HomePhone, Mobile,
  TollFree, Fax, WebAddress, Description, BusinessDescription, Industry, SICCode, Interests, Notes, Status, Type, Priority, Division,
  CreditRating, DataQuality, Revenue, Employees, Ticker, PreferredContact, ImportSource, ImportId, DoNotSolicit, DoNotEmail, DoNotFax,
  DoNotMail, DoNotPhone, AssignDate, LastCallDate, NextCallDate, LeadNameLastFirst, LeadNameFirstLast, LeadNamePrefixFirstLast, LeadFullName,
  AccountManagerId, LeadSourceId, LeadAddressId, QualificationCategoryId`)

const contact = words(`
  ContactId, AccountId, AccountName, Account, Prefix, FirstName, MiddleName, LastName, LastNameUpper, Suffix, Salutation, Initials, Title,
  Department, Description, Email, SecondaryEmail, Email3, WorkPhone, HomePhone, Mobile, OtherPhone, Fax, Pager, PagerNumeric, PinNumber,
  WebAddress, WebAddress2, Type, SubType, Status, Referral, ReportsTo, Assistant, PreferredContact, Interests, CuisinePreference, Birthday,
  Spouse, SpouseBirthday, Children, Alumni, YearGraduated, PreviousEmployer, Directions, Score, ImportSource, Categories, LocationCode,
  IsServiceAuthorized, DoNotSolicit, DoNotEmail, DoNotFax, DoNotMail, DoNotPhone, LastHistoryDate, LastHistoryBy, Name, NameLF, NamePFL,
  FullName, MailingStreet, MailingCityStZip, MailingCountyCountry, AddressId, ShippingId, AccountManagerId, LeadSourceId`)

const address = words(`
  Address1, Address2, Address3, Address4, City, State, PostalCode, Country, County, Description, Type, IsMailing, Salutation, Routing,
  TimeZone, LeadId, EntityId, LeadCtyStZip, CityStateZip, FullAddress, StreetAddress, AddressId, LeadAddressId`)

/** Properties to look for where a server describes itself nowhere. */
const always = words('Id, CreateDate, CreateUser, ModifyDate, ModifyUser')
export const usualNames: Record<CrmEntity, string[]> = { lead: [...always, ...lead], contact: [...always, ...contact] }
export const usualAddress = words('Address1, Address2, Address3, Address4, City, State, PostalCode, Country, County')

const lowerSet = (names: string[]): Set<string> => new Set(names.map((name) => name.toLowerCase()))

const standard: Record<CrmEntity | 'address', Set<string>> = {
  lead: lowerSet([...record, ...userFields, ...lead]),
  contact: lowerSet([...record, ...userFields, ...contact]),
  address: lowerSet([...record, ...address]),
}

/** True for a property that the vendor's model does not have: the customer added it. */
export const isCustom = (kind: CrmEntity | 'address', name: string): boolean => !standard[kind].has(name.toLowerCase())

/** Always imported (I3). */
export const lockedNames = ['Email', 'FirstName', 'LastName'] as const

/** Types that no source of metadata tells well: dates without time, and texts that hold numbers. */
const knownTypes: Record<string, FieldType> = {
  birthday: 'date',
  spousebirthday: 'date',
  email: 'email',
  secondaryemail: 'email',
  email3: 'email',
}

export const knownType = (name: string): FieldType | null => knownTypes[name.toLowerCase()] ?? null

/** Entity names of the metadata contract, which are case-sensitive. */
export const entityNames = { lead: 'Lead', contact: 'Contact' } as const
export const addressEntities = { lead: 'LeadAddress', contact: 'Address' } as const

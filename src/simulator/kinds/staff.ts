import { makeIds } from '../ids.ts'
import {
  kindOf,
  property,
  read,
  relation,
  text,
  texts,
  type Kind,
  type Property,
  type Relation,
  type Values,
} from '../model.ts'
import { addRow, makeStore } from '../store.ts'
import { staff } from './staffList.ts'

/** A kind whose rows are all written down. */
const fixed = (
  name: string,
  entity: string,
  properties: Property[],
  rows: ({ id: string } & Values)[],
  relations: Relation[] = [],
): Kind => {
  const kind = kindOf({
    name,
    entity,
    table: entity.toUpperCase(),
    store: makeStore(makeIds(`${entity.slice(0, 1)}FSTAF`), 0),
    describe: (row) => String(properties[0] && read(row, properties[0])),
    properties,
    relations,
  })
  for (const { id, ...values } of rows) addRow(kind, id, values)
  return kind
}

const userTypes = {
  Network: 0,
  Remote: 1,
  WebUser: 2,
  WebViewer: 3,
  Concurrent: 4,
  Retired: 5,
  Template: 6,
  AddOn: 7,
  Admin: 8,
}

const changed = {
  CreateDate: Date.UTC(2015, 0, 1),
  ModifyDate: Date.UTC(2015, 0, 1),
  CreateUser: 'ADMIN',
  ModifyUser: 'ADMIN',
}
const trailing = (): Property[] => [
  property('CreateUser', 'id', { length: 12, readOnly: true }),
  property('CreateDate', 'instant', { readOnly: true }),
  property('ModifyUser', 'id', { length: 12, readOnly: true }),
  property('ModifyDate', 'instant', { readOnly: true }),
]

export const makeUsers = (): Kind =>
  fixed(
    'users',
    'User',
    [
      text('UserName', 32),
      property('Type', 'enum', { enum: userTypes }),
      property('Enabled', 'boolean'),
      property('IsManager', 'boolean'),
      ...trailing(),
    ],
    staff.map(({ id, userName, type, enabled, ownerId }) => ({
      id,
      UserName: userName,
      Type: type,
      Enabled: enabled,
      IsManager: false,
      DefaultOwnerId: ownerId,
      UserInfoId: id,
      ...changed,
    })),
    [relation('DefaultOwner', 'owners'), relation('UserInfo', 'userInfo')],
  )

export const makeUserInfo = (): Kind =>
  fixed(
    'userInfo',
    'UserInfo',
    [
      ...texts('UserName 64, FirstName 32, LastName 32, NameLF 64'),
      property('Email', 'email', { length: 128 }),
      property('Phone', 'phone', { length: 32 }),
      ...texts('Title 64, Department 64, Region 64, TimeZone 64'),
      property('UseWindowsAuth', 'boolean'),
      ...trailing(),
    ],
    staff.map(({ id, first, last, userName, department }) => ({
      id,
      UserName: `${first} ${last}`,
      FirstName: first,
      LastName: last,
      NameLF: `${last}, ${first}`,
      Email: `${userName}@crm.example.com`,
      Department: department,
      UseWindowsAuth: false,
      ...changed,
    })),
  )

const ownerRow = (id: string, OwnerDescription: string, Type: number) => ({ id, OwnerDescription, Type, ...changed })

export const makeOwners = (): Kind =>
  fixed(
    'owners',
    'Owner',
    [
      text('OwnerDescription', 64),
      property('Type', 'enum', { enum: { System: 0, User: 1, Team: 2, Department: 3 } }),
      ...trailing(),
    ],
    [
      ownerRow('SYST00000001', 'Everyone', 0),
      ownerRow('F6UJ9A00TEAM', 'Midwest', 2),
      ...staff.map(({ ownerId, first, last }) => ownerRow(ownerId, `${last}, ${first}`, 1)),
    ],
  )

const sources = ['Advertising', 'E-mail campaign', 'Fair', 'Referral', "Web site's form"]
export const leadSourceIds = sources.map((_, n) => `LF6UJ9A0000${n}`)

export const makeLeadSources = (): Kind =>
  fixed(
    'leadSources',
    'LeadSource',
    [...texts('Description 64, AbbrevDescription 16, Status 32, Type 64'), ...trailing()],
    sources.map((Description, n) => ({
      id: String(leadSourceIds[n]),
      Description,
      AbbrevDescription: Description.slice(0, 8),
      Status: 'Active',
      Type: 'Marketing',
      ...changed,
    })),
  )

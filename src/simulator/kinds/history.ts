import { idSpaces } from '../ids.ts'
import { kindOf, property, read, texts, type Kind } from '../model.ts'
import { makeStore } from '../store.ts'

export const historyTypes = {
  atInternal: 0,
  atAppointment: 262145,
  atPhoneCall: 262146,
  atToDo: 262147,
  atNote: 262148,
  atDoc: 262153,
  atEMail: 262154,
  atFax: 262155,
  atDatabaseChange: 262156,
  atPersonal: 262162,
  atLiterature: 262163,
}

const ids = (names: string) => names.split(' ').map((name) => property(name, 'id', { length: 12 }))

/** History: empty at first, every link a plain id */
export const makeHistory = (): Kind => {
  const [description, ...rest] = texts(
    'Description 64, Notes 255, Category 64, Priority 64, Result 64, ResultCode 8, CompletedUser 12, UserName 64, AccountName 128, ContactName 64, LeadName 64, OpportunityName 64, TicketNumber 64, ProcessNode 64, UserDef1 255, UserDef2 255, UserDef3 255, Location 255, PhoneNumber 32',
  ) as [ReturnType<typeof property>, ...ReturnType<typeof property>[]]
  return kindOf({
    name: 'history',
    entity: 'History',
    table: 'HISTORY',
    store: makeStore(idSpaces.history, 0),
    describe: (row) => String(read(row, description) ?? ''),
    properties: [
      property('Type', 'enum', { enum: historyTypes }),
      description,
      property('LongNotes', 'memo'),
      ...rest,
      property('StartDate', 'instant'),
      property('OriginalDate', 'instant'),
      property('CompletedDate', 'instant'),
      property('Duration', 'integer'),
      property('Timeless', 'boolean'),
      property('Attachment', 'boolean'),
      property('AttachmentCount', 'integer'),
      ...ids('UserId AccountId ContactId LeadId OpportunityId TicketId ActivityId ProcessId'),
      property('CreateUser', 'id', { length: 12, readOnly: true }),
      property('CreateDate', 'instant', { readOnly: true }),
      property('ModifyUser', 'id', { length: 12, readOnly: true }),
      property('ModifyDate', 'instant', { readOnly: true }),
    ],
  })
}

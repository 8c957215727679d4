import { idSpaces } from '../ids.ts'
import { kindOf, property, read, text, texts, type Kind } from '../model.ts'
import { makeStore } from '../store.ts'

/** Leads that were converted, and what they became. */
export const makeLeadHistory = (): Kind => {
  const last = text('LastName', 32)
  return kindOf({
    name: 'leadHistory',
    entity: 'LeadHistory',
    table: 'HIST_LEAD',
    store: makeStore(idSpaces.leadHistory, 0),
    describe: (row) => String(read(row, last) ?? ''),
    properties: [
      ...['LeadId', 'ContactId', 'AccountId'].map((name) => property(name, 'id', { length: 12 })),
      ...texts('Company 128, FirstName 32'),
      last,
      property('Email', 'email', { length: 128 }),
      ...['CreateUser', 'ModifyUser'].map((name) => property(name, 'id', { length: 12, readOnly: true })),
      ...['CreateDate', 'ModifyDate'].map((name) => property(name, 'instant', { readOnly: true })),
    ],
  })
}

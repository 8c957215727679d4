import type { CrmWarning } from './crm.ts'
import type { RunWarning } from './run.ts'

const sentences: Record<CrmWarning['code'], (field: string | undefined) => string> = {
  fieldMissing: (field) =>
    `${field ?? 'A field'} no longer exists in the CRM or may not be seen by the CRM user: it is left out and keeps what was read before.`,
  fieldAbsent: (field) =>
    `${field ?? 'A field'} did not come with some people although it was asked for: their values are left as they were.`,
  wrongTotal: () => 'The CRM’s totals are wrong; the keys themselves were compared.',
  shortPages: () => 'The CRM gives fewer rows a page than asked; reading takes longer.',
  valueUnreadable: (field) => `Values of ${field ?? 'a field'} could not be read and are left as they were.`,
  addressChangesUnknown: () =>
    'The CRM does not tell whose address changed: changed addresses are taken over when something else of the person changes, or by a full read.',
  parked: () =>
    'Records that were rejected for the same cause in three runs are in quarantine and were not tried: mend the cause, or release them.',
  columnRemoved: (field) =>
    `The column of ${field ?? 'a header'} was removed while the file was read: its cells are left out from then on.`,
  addressNotMapped: (field) =>
    `${field ?? 'A column'} holds an address and has no system usage: it was not pushed. Give it one in the standard fields; “Optimize” proposes them.`,
  fieldTaken: (field) =>
    `${field ?? 'A column'} means a CRM field that another column of the list is already: it was not pushed.`,
  oneSession: () => 'The CRM allows one session at a time; the connection’s limit is now one request.',
}

export const toRunWarning = ({ code, field, count }: CrmWarning): RunWarning => ({
  code,
  message: sentences[code](field),
  count,
  ...(field === undefined ? {} : { field }),
})

import type { CrmEntity } from './crm.ts'
import { errorTable, type ErrorCode } from './errors.ts'
import type { EntryWarning } from './run.ts'

export type Cause = { message: string; remedy: string }

const nothing = 'Nothing needs to be done.'
const sweepSettles = 'Nothing needs to be done; the next run settles what is left.'

/** Codes that only the ledger uses: why a record was listed, in one sentence, and what to do. */
const ledgerCauses: Record<string, Cause> = {
  cameDuring: { message: 'The CRM showed this person only after the keys were compared.', remedy: sweepSettles },
  addedDuring: { message: 'The person was added to the CRM while the run was reading.', remedy: nothing },
  goneDuring: { message: 'The person went from the CRM while the run was reading.', remedy: sweepSettles },
  foundBySweep: { message: 'The read had missed this person; the comparison of keys found it.', remedy: nothing },
  deletedInCrm: {
    message: 'The person is no longer in the CRM.',
    remedy: 'The record stays here, marked; it comes back by itself when the CRM shows the person again.',
  },
  seenAgain: { message: 'The CRM shows a person again that was taken to be deleted.', remedy: nothing },
  mergedIntoRecord: { message: 'The person is on the list already; the values went to that record.', remedy: nothing },
  editedMeanwhile: {
    message: 'The record was edited here again and again while the run compared it.',
    remedy: 'Nothing needs to be done; the next run compares it.',
  },
  removedHere: {
    message: 'The record was removed from the list here, so it is not brought back.',
    remedy: 'Restore the record to have it again.',
  },
  erased: { message: 'The person was erased and is not brought back.', remedy: nothing },
  suppressed: {
    message: 'The address is suppressed, so nobody is mailed there.',
    remedy: 'Nothing needs to be done; GET /v1/suppressions says why.',
  },
  optedOut: {
    message: 'The person does not want to be mailed: DoNotEmail or DoNotSolicit is set.',
    remedy: nothing,
  },
  invalidEmail: { message: 'The address of the record is no e-mail address.', remedy: 'Correct the address.' },
  duplicateAddress: {
    message: 'Another record of the audience has the same address, and gets the mail.',
    remedy: nothing,
  },
  recordRemoved: { message: 'The record was removed before its mail was sent.', remedy: nothing },
  messageCancelled: { message: 'Sending was cancelled before this mail was sent.', remedy: nothing },
  fateUnknown: {
    message:
      'The mail was handed over, and nobody knows whether the mail server took it; it is not sent again by itself.',
    remedy: 'Nothing needs to be done. To send it again, which may make two of it: POST /v1/runs/{runId}/retry.',
  },
  notInCrm: {
    message: 'Nobody in the CRM has this address, so there is nobody to add the note to.',
    remedy: 'Push the record, which creates a lead; then try the note again.',
  },
  runCancelled: {
    message: 'The run was cancelled before this was done.',
    remedy: 'Try again what has this reason, if it shall be done after all.',
  },
  otherCrm: {
    message: 'Another CRM was connected while this waited for the one before.',
    remedy: 'Try it again if it shall go to the CRM that is connected now.',
  },
  needsDecision: {
    message: 'Several people in the CRM may be this one.',
    remedy: 'Say who it is: GET /v1/decisions shows them side by side, and the next run goes by your answer.',
  },
  addressNotMapped: {
    message:
      'The record has an address in a column that is no address field of the CRM, and such records are not to be pushed.',
    remedy:
      'Give the column a standard field with a system usage (POST /v1/standard-fields/optimize proposes them), or set unmappedAddress of the account to push.',
  },
  noEmail: { message: 'The record has no e-mail address to find the person by.', remedy: 'Add an address.' },
  existsNotUpdated: {
    message: 'The person is in the CRM already; the record was linked to it and not written.',
    remedy: 'Switch on “update existing” of the push to write the chosen fields too.',
  },
  notFoundNotAdded: {
    message: 'Nobody in the CRM has this address, and the push adds nobody.',
    remedy: 'Switch on “add new” of the push to create leads.',
  },
  notAdded: {
    message: 'The person is not on the list, and the pull adds nobody.',
    remedy: 'Switch on “add new” of the pull; the next sync then adds everybody who is missing.',
  },
  notUpdated: {
    message: 'The person was changed in the CRM, and the pull updates nobody.',
    remedy: 'Switch on “update existing” of the pull; the next sync then brings everybody up to date.',
  },
  requiredMissing: {
    message: 'The CRM requires a field of a new lead that is blank here.',
    remedy: 'Fill it in, or give it a default for new leads in the sync settings.',
  },
  converted: {
    message: 'The lead was converted in the CRM; the record is linked to the contact now.',
    remedy: nothing,
  },
  merged: {
    message: 'The person was merged with another one in the CRM; the record is linked to that one now.',
    remedy: nothing,
  },
  linkedByEmail: { message: 'The record was linked to the person in the CRM who has its address.', remedy: nothing },
  differsHere: {
    message: 'Values here are not those of the CRM, although nobody changed them here.',
    remedy: 'Start a sync; it reads this person again.',
  },
  missingHere: {
    message: 'The CRM has this person, and the list does not.',
    remedy: 'Start a sync with “add new” of the pull switched on; it adds this person.',
  },
  brokenRow: {
    message: 'The line could not be read as a row.',
    remedy: 'Correct the quotation marks of the line that is named, and upload the row again.',
  },
  tooManyCells: {
    message: 'The row has more cells than the header has names.',
    remedy: 'Put cells that hold the delimiter into quotation marks, and upload the row again.',
  },
  invalidCell: {
    message: 'A cell is no value of its column.',
    remedy: 'Correct the cell that is named, and upload the row again.',
  },
  emptyRow: {
    message: 'The row has nothing in the columns that are read.',
    remedy: 'Nothing needs to be done, or choose further columns.',
  },
  recordUnknown: {
    message: 'The list has no record with this id.',
    remedy: 'Upload the file into the list that it was downloaded from, or leave the id blank to make a new record.',
  },
  existsSkipped: {
    message: 'The person is on the list already, and the upload was to leave such records alone.',
    remedy: 'Upload with onMatch=update to change them.',
  },
  changedSince: {
    message: 'Something changed since the run that this one goes by, so it was left as it is.',
    remedy: 'Compare with the entry of that run; look at a new preview, or change by hand what shall be otherwise.',
  },
  notRestored: {
    message: 'An undo takes back values only: links, merges, removals and deletions stay.',
    remedy: 'Nothing needs to be done, or change by hand what shall be otherwise.',
  },
  leadNotDeleted: {
    message: 'The run that was undone has created this lead; an undo never deletes anybody in the CRM.',
    remedy: 'Delete the lead in Infor CRM if it shall go; the next sweep then marks the record.',
  },
  removedAgain: {
    message: 'The run that was undone had added this person to the list; the record was removed.',
    remedy: 'Restore the record to have it again.',
  },
  heldHere: {
    message: 'An undo has set values of the record back on one side only.',
    remedy: 'Nothing needs to be done: they stay so until somebody changes them, here or in the CRM.',
  },
  pendingHere: {
    message: 'The record was edited here and has not been pushed yet.',
    remedy: 'Nothing needs to be done where the field is ticked: the next sync pushes it.',
  },
}

const isErrorCode = (code: string): code is ErrorCode => code in errorTable

/** A sentence and a remedy for every code that an entry can carry. */
export const causeOf = (code: string): Cause => {
  const known = ledgerCauses[code]
  if (known !== undefined) return known
  if (isErrorCode(code)) return { message: errorTable[code].title, remedy: errorTable[code].remedy }
  return { message: `The record was listed with the code ${code}.`, remedy: 'Look at the entry itself.' }
}

/** Codes of submissions that say something else of a record, or that only they use. */
const submissionCauses: Record<string, Cause> = {
  noEmail: {
    message: 'The submission has no e-mail address to find the person by.',
    remedy: 'Nothing can be done for this one; require the address in the form.',
  },
  requiredMissing: {
    message: 'The CRM requires a field of a new lead that the submission leaves blank.',
    remedy:
      'Require it in a field of the form whose column is this field of the CRM (warnings of the form name those that are none; a standard field makes them so), or give it a default for new leads there; then try again.',
  },
  addressNotMapped: {
    message:
      'The submission has an address in a field that is no address field of the CRM, and such ones are not to be pushed.',
    remedy:
      'Give the column a standard field with a system usage (POST /v1/standard-fields/optimize proposes them), or set unmappedAddress of the account to push; then try again.',
  },
  beingCreated: {
    message: 'A lead with this address is just being created.',
    remedy: 'Nothing; it goes on by itself.',
  },
  listRemoved: {
    message: 'The list that the form fills was removed before the submission was stored there.',
    remedy: 'The answers stay with the submission: download them, or submit them to another form.',
  },
  listOfOtherCrm: {
    message: 'People of the list that the form fills are linked to a CRM that was connected before.',
    remedy:
      'Connect that CRM again and try the submission again, or make a form with a list of its own; the answers stay here and on the list.',
  },
  otherCrm: {
    message: 'It waited for a CRM in whose place another one was connected.',
    remedy: 'Try it again to have it in the CRM that is connected now; otherwise leave it as it is.',
  },
}

/** A sentence and a remedy for every code that a submission can carry. */
export const submissionCauseOf = (code: string): Cause => submissionCauses[code] ?? causeOf(code)

const entryWarnings: Record<string, (field: string, others: number) => string> = {
  answerNotKept: (field) =>
    `The column of ${field} cannot hold the answer, or is gone: it is kept with the submission only.`,
  newerAnswers: () => 'Later answers of the same address were in the CRM already: only what was blank was filled in.',
  valueCut: (field) => `The text was longer than ${field} can be in the CRM: it was cut.`,
  otherMatches: (_field, others) =>
    `The same address belongs to ${others === 1 ? 'another person' : `${others} other people`} in the CRM.`,
  noFieldOnLead: (field) => `A lead cannot hold ${field}: it was left out.`,
  noFieldOnContact: (field) => `A contact cannot hold ${field}: it was left out.`,
  addressNotMapped: (field) => `No address field of the CRM is known for ${field}: it was left out.`,
  fieldTaken: (field) => `Another column is the CRM field of ${field} already: it was left out.`,
  requiredMissing: (field) => `The CRM requires ${field}, which is blank here and has no default.`,
  alsoWritten: (_field, others) =>
    `The chosen values were written to ${others === 1 ? 'another person' : `${others} other people`} with the same address too.`,
  otherNotWritten: () => 'Another person with the same address could not be written.',
  candidates: (_field, others) => `The record may belong to any of ${others} people in the CRM.`,
  mergedIntoRecord: () => 'The person is on the list already: the record that is named has the values now.',
  restored: () => 'That record had been removed from the list and is on it again.',
  was: () => 'The record was linked to the person that is named before.',
  fieldMissing: (field) => `${field} no longer exists in the CRM or may not be seen by the CRM user: it was left out.`,
  changedSince: (field) => `${field} was changed again after the run that was undone: it was left as it is.`,
  notRestored: (field) => `${field} can no longer be written: it was left as it is.`,
  othersNotRestored: (_field, others) =>
    `The run had written to ${others === 1 ? 'another person' : `${others} other people`} with the same address, too: they were left as they are.`,
  linkKept: () => 'The record stays linked as it is.',
  valueRewritten: (field) => `The CRM stored ${field} otherwise than it was sent; the value of the CRM is kept.`,
}

/** What was done otherwise than asked, in one sentence; the field is named as people see it. */
export const warningSentence = ({ code, field, ids = [] }: EntryWarning): string =>
  entryWarnings[code]?.(field ?? 'a field', ids.length) ?? `Something was done otherwise than asked: ${code}.`

const settingsWarnings = {
  fieldMissing: (field: string) =>
    `${field} no longer exists in the CRM or may not be seen by the CRM user: it is neither pulled nor pushed.`,
  fieldReadOnly: (field: string) =>
    `${field} is set by the CRM itself or may not be written by the CRM user: it is not pushed.`,
  fieldTooShort: (field: string, { entity, most }: About) =>
    `A ${entity} holds at most ${most} characters of ${field}: longer texts are cut.`,
  noFieldOnLead: (field: string) => `A lead cannot hold ${field}: it is left out of leads.`,
  noFieldOnContact: (field: string) => `A contact cannot hold ${field}: it is left out of contacts.`,
  addressNotMapped: (field: string) =>
    `${field} holds an address and has no system usage: it is not pushed. Give it one in the standard fields; “Optimize” proposes them.`,
  fieldTaken: (field: string) =>
    `${field} means a CRM field that another column of the list is already: it is not pushed.`,
  notMapped: (field: string) => `${field} is bound to no field of the CRM: it is not pushed.`,
  requiredMissing: (field: string) =>
    `The CRM requires ${field} of a new lead: give it a default for new leads or add a column; records without it are rejected.`,
}

type About = { entity?: CrmEntity; most?: number }
export type SettingsCode = keyof typeof settingsWarnings

/** What is risky about sync settings, in one sentence. */
export const settingsSentence = (code: SettingsCode, field: string, about: About = {}): string =>
  settingsWarnings[code](field, about)

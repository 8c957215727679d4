import { errorTable, type ErrorCode } from './errors.ts'

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
  removedHere: {
    message: 'The record was removed from the list here, so it is not brought back.',
    remedy: 'Restore the record to have it again.',
  },
  erased: { message: 'The person was erased and is not brought back.', remedy: nothing },
  needsDecision: {
    message: 'Several people in the CRM have this address.',
    remedy: 'Decide which one it is; the next run applies it.',
  },
  noEmail: { message: 'The record has no e-mail address to find the person by.', remedy: 'Add an address.' },
}

const isErrorCode = (code: string): code is ErrorCode => code in errorTable

/** A sentence and a remedy for every code that an entry can carry. */
export const causeOf = (code: string): Cause => {
  const known = ledgerCauses[code]
  if (known !== undefined) return known
  if (isErrorCode(code)) return { message: errorTable[code].title, remedy: errorTable[code].remedy }
  return { message: `The record was listed with the code ${code}.`, remedy: 'Look at the entry itself.' }
}

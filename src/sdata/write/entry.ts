import type { FairleadError } from '../../domain/errors.ts'
import { inPlace } from '../http/answer.ts'
import { diagnose, diagnoseText } from '../http/diagnosis.ts'
import { fromDiagnosis } from '../http/failure.ts'
import { readFeed, type Row } from '../paging/feed.ts'
import { trimId } from '../values/value.ts'

/** The reply's entries in the order of what was sent, by place or else by key; null when it is none that can be understood. */
export const entriesOf = (json: unknown, ids: string[]): (Row | undefined)[] | null => {
  let rows: Row[]
  try {
    rows = readFeed(json).rows
  } catch {
    return null
  }
  const keys = rows.map((row) => trimId(row['$key']))
  const inPlaces = rows.length === ids.length && keys.every((key, at) => key === null || key === ids[at])
  return inPlaces ? rows : ids.map((id) => rows[keys.indexOf(id)])
}

/** True for an entry that says what became of its item. */
export const isAnswer = (entry: Row | undefined): entry is Row => entry?.['$httpStatus'] !== undefined

/** What an entry says went wrong with its item, which was one resource of its own; null for nothing. */
export const failureOf = (entry: Row): FairleadError | null => {
  const status = Number(entry['$httpStatus'])
  const said = diagnose(entry)
  if (said === null && status >= 200 && status < 300) return null
  return inPlace(fromDiagnosis(status, said ?? diagnoseText(''), null), { path: '()', send: {} })
}

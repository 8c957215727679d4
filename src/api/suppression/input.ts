import type { z } from 'zod'
import type * as suppressions from '../../db/suppression.ts'
import type { Role } from '../../domain/account.ts'
import { isFairleadError, misplaced, type ErrorCode } from '../../domain/errors.ts'
import { checkSource, sourceOf } from '../../domain/suppression.ts'
import { readTyped } from '../../domain/typed.ts'
import { firstIssue } from '../issue.ts'
import { NewSuppression } from './json.ts'

/** Errors: invalidInput, forbidden. */
export const readNew = (given: z.infer<typeof NewSuppression>, role: Role): suppressions.NewSuppression => {
  const [email, expects] = readTyped('email', given.email)
  if (typeof email !== 'string') {
    throw misplaced('email', email === null ? 'expects an address.' : `${expects}.`)
  }
  const source = given.source ?? sourceOf(given.reason)
  checkSource(source, role)
  return { ...given, source, email }
}

type Refused = { code: ErrorCode; path: string; message: string }

/** A row of many: what it says, or why it is refused. */
export const readRow = (row: unknown, role: Role): { row: suppressions.NewSuppression } | { refused: Refused } => {
  const parsed = NewSuppression.safeParse(row)
  if (!parsed.success) {
    return { refused: { code: 'invalidInput', ...firstIssue(parsed.error) } }
  }
  try {
    return { row: readNew(parsed.data, role) }
  } catch (error) {
    if (!isFairleadError(error)) throw error
    const [place] = error.details.errors ?? []
    return { refused: { code: error.code, path: place?.path ?? 'source', message: place?.message ?? error.message } }
  }
}

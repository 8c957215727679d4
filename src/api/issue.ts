import type { z } from 'zod'
import { wordsOf } from './wording.ts'

/** The first thing wrong with a row of many: where in the row, '' for the row itself, and what. */
export const firstIssue = ({ issues: [issue] }: z.ZodError): { path: string; message: string } => {
  const strange = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  if (strange !== undefined) return { path: strange, message: 'There is no such property.' }
  return { path: issue?.path.map(String).join('.') ?? '', message: wordsOf({ ...issue }) }
}

import type { CrmFound, CrmWarning } from './crm.ts'
import type { CrmSaid } from './errors.ts'

/** What the CRM answered when it was asked for people by id. */
export type Answer = {
  asked: string[]
  found: CrmFound[]
  unreadable: { id: string; crm: CrmSaid }[]
  warnings: CrmWarning[]
}

/** Who is there, whether or not the CRM can deliver them. */
export const thereOf = ({ found, unreadable }: Answer): Set<string> =>
  new Set([...found, ...unreadable].map(({ id }) => id))

/** Who was asked for and is not there. */
export const absentOf = (answer: Answer): string[] => {
  const there = thereOf(answer)
  return answer.asked.filter((id) => !there.has(id))
}

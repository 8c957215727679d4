import { causeOf, type Cause } from '../cause.ts'

const causes: Record<string, Cause> = {
  runActive: { message: 'A run of the list was under way.', remedy: 'Nothing; the next due time tries anew.' },
  conflict: {
    message: 'People of the list are linked to another CRM than the one that is connected.',
    remedy: 'Connect that CRM again, or upload the people to a new list and push that one.',
  },
}

/** Why a due time started no run, and what to do (R25). */
export const skippedCause = (code: string): Cause => causes[code] ?? causeOf(code)

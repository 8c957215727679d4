import { FairleadError } from '../../domain/errors.ts'
import { guardNumbers } from '../../domain/values.ts'

// A numeral of 16 characters or more in a place where a number can stand: cheap enough for every page; text may match too, which costs only time.
const longNumeral = /[:,[\s]-?\d[\d.]{15}/

/**
 * Parses an answer; numerals that a double would change come as `{ bigDecimal }` with the CRM's own digits (R8). Throws crmAnswer.
 * The tokenising pass runs only on texts that hold a long numeral at all.
 */
export const parseJson = (text: string): unknown => {
  try {
    const guarded = longNumeral.test(text) ? guardNumbers(text, (numeral) => `{"bigDecimal":"${numeral}"}`) : text
    return JSON.parse(guarded)
  } catch {
    throw new FairleadError('crmAnswer')
  }
}

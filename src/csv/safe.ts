/** What a spreadsheet would take for the beginning of a formula, after any number of apostrophes. */
const formula = /^'*[=+\-@\t\r\n＝＋－＠]/
const plainNumber = /^[+-]?\d[\d.,]*$/
const phone = /^\+\d[\d ]*$/

const needsGuard = (text: string): boolean => formula.test(text) && !plainNumber.test(text) && !phone.test(text)

/** A text that is harmless in a spreadsheet: what could be a formula gets an apostrophe in front. `unguard` gives every text back. */
export const guard = (text: string): string => (needsGuard(text) ? `'${text}` : text)

/** The text that was guarded; others stay as they are. */
export const unguard = (text: string): string =>
  text.charCodeAt(0) === 39 && needsGuard(text.slice(1)) ? text.slice(1) : text

const loneSurrogate = /\p{Surrogate}/gu
// Node 20 has String.prototype.isWellFormed, the types of ES2023 do not
type Text2024 = { isWellFormed(): boolean }

/** What Postgres can store and UTF-8 can carry: NUL characters removed, halves of surrogate pairs replaced by U+FFFD. */
export const cleanText = (text: string): string => {
  const whole = text.includes('\0') ? text.replaceAll('\0', '') : text
  return (whole as unknown as Text2024).isWellFormed() ? whole : whole.replace(loneSurrogate, '\uFFFD')
}

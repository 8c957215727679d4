const instantShape = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d(\.\d+)?)?Z$/

/**
 * A value of a record as people read it in a mail: numbers as they are, days as `2026-11-23`, instants as `2026-11-23 10:00 UTC`, choices by their text, yes
 * as `yes`. No is blank, as everything that is missing is, so that `{% if … %}` asks for both at once.
 */
export const mergeText = (value: unknown): string => {
  if (value === null || value === undefined || value === false) return ''
  if (value === true) return 'yes'
  if (typeof value === 'object' && 'bigDecimal' in value) return String(value.bigDecimal)
  const text = String(value)
  const instant = instantShape.exec(text)
  return instant === null ? text : `${instant[1]} ${instant[2]} UTC`
}

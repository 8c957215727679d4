const jsonDate = /^\/Date\((-?\d+)(?:[+-]\d{4})?\)\/$/
const isoDate = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?)(Z|[+-]\d\d:?\d\d)?)?$/

/** `/Date(ms)/`, `2026-11-23`, `2026-11-23T10:00:00`, with `Z` or an offset; without one it is UTC. */
export const parseDate = (text: string): number | undefined => {
  const json = jsonDate.exec(text.trim())
  if (json) return Number(json[1])
  const [, date, time = '00:00', zone = 'Z'] = isoDate.exec(text.trim()) ?? []
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
  const ms = date === undefined ? Number.NaN : Date.parse(`${date}T${time}${offset}`)
  return Number.isNaN(ms) ? undefined : ms
}

export const isoOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

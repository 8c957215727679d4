/** A version 7 id of a later moment, made of an earlier one: where the answer to a question stands in the order of events. */
export const idAt = (id: string, at: Date): string => {
  const hex = at.getTime().toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-${id.slice(14)}`
}

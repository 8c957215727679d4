import { usages } from './usage.ts'

/** A name as it is recognised: without case, accents, blanks, underscores and hyphens; ß is ss. */
export const wordOf = (name: string): string =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll(/[\p{M}\s_\p{Pd}\u00AD]/gu, '')
    .replaceAll('ς', 'σ')

const addressWords = new Set(
  usages.filter(({ address }) => address).flatMap(({ label, aliases }) => [label, ...aliases].map(wordOf)),
)

/** What people call a part of an address. */
export const isAddressName = (name: string): boolean => addressWords.has(wordOf(name))

/** Finds the standard field that a name means: by its name or an alias, the first one that has it. */
export const recogniser = <Field extends { name: string; aliases: readonly string[] }>(
  fields: readonly Field[],
): ((name: string) => Field | undefined) => {
  const found = new Map<string, Field>()
  for (const field of fields)
    for (const word of [field.name, ...field.aliases].map(wordOf)) if (!found.has(word)) found.set(word, field)
  return (name) => found.get(wordOf(name))
}

const unique = (texts: string[]): string[] => [...new Set(texts)]

/** Letter by letter, leaving those that would become two: databases have no `ß` → `SS`. */
const upperSingly = (text: string): string =>
  Array.from(text, (letter) => {
    const upper = letter.toUpperCase()
    return upper.length === letter.length ? upper : letter
  }).join('')

const upperAscii = (text: string): string => text.replaceAll(/[a-z]+/g, (letters) => letters.toUpperCase())

/** A text as it may be stored: composed or with its accents apart. */
const forms = (text: string): string[] => unique([text.normalize('NFC'), text.normalize('NFD')])

/** What a database may make of an address by `upper`: one text for ASCII, several where it may know fewer letters than JavaScript does. */
export const upperVariants = (email: string): string[] =>
  unique(
    forms(email)
      .flatMap((form) => [form.toUpperCase(), upperSingly(form), upperAscii(form)])
      .flatMap((form) => [form, form.normalize('NFC')]),
  )

/** How an address is usually written, for servers that know no functions. */
export const spellings = (email: string): string[] => unique([...forms(email), ...upperVariants(email)])

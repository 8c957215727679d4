type Wish = { language: string; weight: number }

/** `de-AT, de;q=0.9, en;q=0.5`: the dearest first. A header that makes no sense wishes nothing. */
const wishesOf = (header: string): Wish[] =>
  header
    .slice(0, 500)
    .split(',')
    .map((part) => {
      const [language = '', ...parameters] = part.trim().toLowerCase().split(';')
      const q = parameters.map((each) => each.trim()).find((each) => each.startsWith('q='))
      return { language: language.trim(), weight: q === undefined ? 1 : Number(q.slice(2)) }
    })
    .filter(({ language, weight }) => language !== '' && weight > 0)
    .sort((a, b) => b.weight - a.weight)

const primary = (language: string): string => language.toLowerCase().split('-')[0]!

/** Of the form's languages: the one that the address asks for, else the reader's dearest, else the form's first. */
export const chooseLanguage = (languages: readonly string[], asked: unknown, header: string | undefined): string => {
  const wishes = [typeof asked === 'string' ? asked : '', ...wishesOf(header ?? '').map(({ language }) => language)]
  for (const wish of wishes) {
    const exact = languages.find((each) => each.toLowerCase() === wish.toLowerCase())
    const found = exact ?? languages.find((each) => wish !== '' && primary(each) === primary(wish))
    if (found !== undefined) return found
  }
  return languages[0] ?? 'en'
}

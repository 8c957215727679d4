import type { Issue } from '../settings/defaults.ts'
import { isText } from '../typed.ts'
import type { Localised } from './definition.ts'
import type { GivenText } from './read.ts'

export const textIssue = (text: string, most: number): string | undefined => {
  if (text.length > most) return `expects at most ${most} characters.`
  return isText(text) ? undefined : 'contains characters that are not text.'
}

type About = { languages: readonly string[]; most: number; path: string; issues: Issue[]; optional?: boolean }

/** A text in the form's languages; one that is given plainly is in the first. */
export const readLocalised = (given: GivenText, about: About): Localised => {
  const { languages, most, path, issues, optional = false } = about
  const first = languages[0] ?? 'en'
  const isPlain = typeof given === 'string'
  const said: Record<string, string | undefined> = isPlain ? { [first]: given } : given
  const fail = (at: string, message: string) => issues.push({ code: 'invalidInput', path: at, message })
  const read = Object.entries(said).flatMap(([language, text = '']) =>
    text.trim() === '' ? [] : [[language, text] as const],
  )
  for (const [language, text] of read) {
    const at = isPlain ? path : `${path}.${language}`
    const wrong = languages.includes(language) ? textIssue(text, most) : 'The form is not in this language.'
    if (wrong !== undefined) fail(at, wrong)
  }
  if (!optional && !read.some(([language]) => language === first)) fail(path, `expects a text in "${first}".`)
  return Object.fromEntries(read.map(([language, text]) => [language, text.trim()]))
}

import { localised, type FormDefinition } from '../../domain/form.ts'
import { fieldId, showField, type Filled } from './pageField.ts'
import { attributes, markup, Html } from './pageHtml.ts'
import { style } from './pageStyle.ts'
import { pageText, type PageText } from './pageText.ts'

/** What no person sees; a field's own name begins with a letter, so none is taken. */
export const tokenName = '_token'
export const trapName = '_website'

const document = (language: string, title: string, content: Html): string =>
  markup`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <title>${title}</title>
        <style>${new Html(style)}</style>
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html>
`.text

export type FormView = Filled & {
  definition: FormDefinition
  language: string
  token: string
  /** about the whole: a heading, and a sentence */
  notice?: { title: string; text: string } | undefined
  /** addresses of the same page in other languages, without the question mark */
  queries: ReadonlyMap<string, string>
}

const nameOf = (language: string): string => new Intl.DisplayNames([language], { type: 'language' }).of(language)!

const showLanguages = ({ queries, language }: FormView, text: PageText): Html | false => {
  if (queries.size < 2) return false
  const links = [...queries].map(([each, query]) =>
    each === language
      ? markup`<strong>${nameOf(each)}</strong>`
      : markup`<a href="?${query}"${attributes({ lang: each, hreflang: each })}>${nameOf(each)}</a>`,
  )
  return markup`<nav aria-label="${text.language}">${links}</nav>
`
}

/** It is focused when the page opens, so that everybody comes by it first. */
const showSummary = ({ definition, errors, notice, language }: FormView, text: PageText): Html | false => {
  if (errors.size === 0 && notice === undefined) return false
  const links = definition.fields.flatMap((field, index) => {
    const message = errors.get(field.name)
    if (message === undefined || field.type === 'hidden') return []
    return [markup`<li><a href="#${fieldId(index)}">${localised(field.label, language)}: ${message}</a></li>`]
  })
  const whole = errors.get('') ?? notice?.text
  return markup`<div class="summary" role="alert" tabindex="-1" autofocus>
    <h2>${notice?.title ?? text.check}</h2>
    ${whole !== undefined && markup`<p>${whole}</p>`}${links.length > 0 && markup`<ul>${links}</ul>`}
  </div>
`
}

const showTrap = (text: PageText): Html =>
  markup`<div class="apart" aria-hidden="true">
    <label for="website">${text.keepOut}</label>
    <input type="text" id="website" name="${trapName}" tabindex="-1" autocomplete="off" value="" />
  </div>
`

/**
 * The form itself, empty or as it was sent. It is sent to the address that it stands at, without the fragment that a link of the summary leaves: a
 * browser that sees one does not focus the next summary.
 */
export const formPage = (view: FormView): string => {
  const { definition, language, token, errors, notice } = view
  const text = pageText(language)
  const title = localised(definition.title, language)
  const isWrong = errors.size > 0 || notice !== undefined
  const fields = definition.fields.map((field, index) => showField(field, index, view, { language, text }))
  return document(
    language,
    isWrong ? `${text.error}: ${title}` : title,
    markup`${showLanguages(view, text)}<h1>${title}</h1>
${showSummary(view, text)}<form method="post" action="?${view.queries.get(language)}" accept-charset="utf-8" novalidate>
<input${attributes({ type: 'hidden', name: tokenName, value: token })}>
${fields}${showTrap(text)}<button type="submit">${text.send}</button>
</form>
`,
  )
}

/** A page that only says something. */
export const messagePage = (language: string, title: string, text: string): string =>
  document(
    language,
    title,
    markup`<h1>${title}</h1>
      <p>${text}</p>`,
  )

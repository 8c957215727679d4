import type { CrmEntity, CrmField } from '../crm.ts'
import { FairleadError } from '../errors.ts'
import type { FilterColumn } from '../filter.ts'
import { emailKeyColumn } from '../list.ts'
import { readDefaults, type Default, type Issue } from '../settings/defaults.ts'
import type { FormDefinition, FormFieldType, FormPolicy, Localised } from './definition.ts'
import { readField } from './field.ts'
import { readLocalised, textIssue } from './localised.ts'
import type { Picklists } from './picklist.ts'
import { formLanguages } from './text.ts'

export type GivenText = string | Readonly<Record<string, string | undefined>>

export type GivenChoice = string | { value: string; label?: GivenText | undefined }

/** A field as a person gives it. `column`: the name of a column, made where the list has none; null: none; missing: by the field's own name. */
export type GivenField = {
  name: string
  type: FormFieldType
  label?: GivenText | undefined
  help?: GivenText | undefined
  required?: boolean | undefined
  maxLength?: number | null | undefined
  min?: number | string | null | undefined
  max?: number | string | null | undefined
  choices?: GivenChoice[] | undefined
  picklist?: { entity: CrmEntity; field: string } | null | undefined
  hidden?: { value: string } | { parameter: string } | null | undefined
  forEmail?: boolean | undefined
  column?: string | null | undefined
}

export type GivenForm = {
  name: string
  fields: GivenField[]
  push?: boolean | undefined
  policy?: FormPolicy | undefined
  newLeadDefaults?: Record<string, Default> | undefined
  languages?: string[] | undefined
  title?: GivenText | undefined
  thanks?: { text: GivenText } | { redirect: string } | undefined
  allowedOrigins?: string[] | undefined
}

export type FormColumn = FilterColumn

export type FormContext = {
  /** of the list, those that the form makes included */
  columns: readonly FormColumn[]
  /** what the CRM's entities look like, where that is known */
  live: Partial<Record<CrmEntity, readonly CrmField[]>>
  /** as the CRM has given them, where they are known */
  picklists?: Picklists | undefined
  /** what is stored now */
  before?: FormDefinition | undefined
}

export const mostFields = 200
const mostOrigins = 50

const readLanguages = (given: readonly string[], issues: Issue[]): string[] => {
  const fail = (index: number, message: string) =>
    issues.push({ code: 'invalidInput', path: `languages[${index}]`, message })
  for (const [index, language] of given.entries()) {
    if (!formLanguages.some((each) => each === language)) fail(index, `expects one of ${formLanguages.join(', ')}.`)
    else if (given.indexOf(language) !== index) fail(index, `"${language}" is named twice.`)
  }
  return given.length === 0 ? ['en'] : [...given]
}

/** http or https, without a user; null for anything else. */
const webAddress = (said: string): URL | null => {
  if (!URL.canParse(said) || said.length > 2000) return null
  const url = new URL(said)
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' ? url : null
}

const readThanks = (
  given: NonNullable<GivenForm['thanks']>,
  languages: readonly string[],
  issues: Issue[],
): FormDefinition['thanks'] => {
  if ('text' in given)
    return { text: readLocalised(given.text, { languages, most: 10_000, path: 'thanks.text', issues }) }
  const url = webAddress(given.redirect)
  if (url !== null) return { redirect: url.href }
  issues.push({ code: 'invalidInput', path: 'thanks.redirect', message: 'expects an http or https address.' })
  return given
}

const readOrigins = (given: readonly string[], issues: Issue[]): string[] => {
  if (given.length > mostOrigins)
    issues.push({ code: 'invalidInput', path: 'allowedOrigins', message: `A form has at most ${mostOrigins} origins.` })
  const origins = given.map((said, index) => {
    const url = webAddress(said)
    if (url === null || url.pathname !== '/' || url.search !== '' || url.hash !== '')
      issues.push({
        code: 'invalidInput',
        path: `allowedOrigins[${index}]`,
        message: 'expects an origin such as https://www.example.com.',
      })
    return url?.origin ?? said
  })
  return [...new Set(origins)]
}

const refuseTwins = ({ fields }: FormDefinition, issues: Issue[]): void => {
  const [names, keys] = [new Set<string>(), new Set<string>()]
  for (const [index, { name, column }] of fields.entries()) {
    const fail = (at: string, message: string) =>
      issues.push({ code: 'duplicateField', path: `fields[${index}].${at}`, message })
    if (names.has(name.toLowerCase())) fail('name', `"${name}" is the name of another field already.`)
    if (column !== null && keys.has(column)) fail('column', 'Another field fills this column already.')
    names.add(name.toLowerCase())
    if (column !== null) keys.add(column)
  }
}

/** R3: a form that pushes finds people by the one e-mail field that fills the column of the address. */
const checkAddress = ({ fields, push }: FormDefinition, given: GivenForm, issues: Issue[]): void => {
  const at = fields.findIndex(({ column }) => column === emailKeyColumn)
  const fail = (path: string, message: string) => issues.push({ code: 'invalidInput', path, message })
  const field = fields[at]
  if (push && field === undefined)
    fail('fields', 'A form that pushes to the CRM needs one e-mail field that fills the column of the address.')
  if (!push || field === undefined) return
  if (given.fields[at]!.required === false) fail(`fields[${at}].required`, 'A form that pushes needs the address.')
  field.required = true
}

const thanksTexts: Localised = { en: 'Thank you.', de: 'Vielen Dank.' }

/**
 * A form as a person gives it, with everything that was left out. Throws the first thing that is wrong, with all places: invalidInput,
 * duplicateField, unknownField, secretField, fieldReadOnly.
 */
export const readForm = (given: GivenForm, { columns, live, picklists = {}, before }: FormContext): FormDefinition => {
  const issues: Issue[] = []
  const fail = (path: string, message: string) => issues.push({ code: 'invalidInput', path, message })
  const languages = readLanguages(given.languages ?? before?.languages ?? ['en'], issues)
  if (given.fields.length > mostFields) fail('fields', `A form has at most ${mostFields} fields.`)
  if (!given.fields.some(({ type }) => type !== 'hidden')) fail('fields', 'A form needs a field that people can see.')
  const nameIssue = textIssue(given.name, 200) ?? (given.name.trim() === '' ? 'expects a name.' : undefined)
  if (nameIssue !== undefined) fail('name', nameIssue)
  const context = { fields: given.fields, languages, columns, live, picklists, before, issues }
  const defaults: Issue[] = []
  const newLeadDefaults = readDefaults(given.newLeadDefaults ?? {}, live.lead, before?.newLeadDefaults ?? {}, defaults)
  issues.push(...defaults.map((issue) => ({ ...issue, path: issue.path.replace(/^push\./, '') })))
  const usualThanks = {
    text: Object.fromEntries(languages.map((each) => [each, thanksTexts[each] ?? thanksTexts['en']!])),
  }
  const definition: FormDefinition = {
    name: given.name.trim(),
    fields: given.fields.map((field, index) => readField(field, `fields[${index}]`, context)),
    push: given.push ?? false,
    policy: given.policy ?? 'overwrite',
    newLeadDefaults,
    languages,
    title: readLocalised(given.title ?? given.name.trim(), { languages, most: 500, path: 'title', issues }),
    thanks: readThanks(given.thanks ?? usualThanks, languages, issues),
    allowedOrigins: readOrigins(given.allowedOrigins ?? [], issues),
  }
  refuseTwins(definition, issues)
  checkAddress(definition, given, issues)
  const [first] = issues
  if (first === undefined) return definition
  const errors = issues.map(({ path, message }) => ({ path, message }))
  throw new FairleadError(first.code, { detail: `${first.path}: ${first.message}`, errors })
}

import type { CrmEntity, CrmField } from '../crm.ts'
import { emailKeyColumn } from '../list.ts'
import type { Issue } from '../settings/defaults.ts'
import { readTyped } from '../typed.ts'
import { columnFor, fieldFits } from './column.ts'
import type { FormChoice, FormDefinition, FormField, FormFieldType } from './definition.ts'
import { readLocalised, textIssue } from './localised.ts'
import type { Picklists } from './picklist.ts'
import type { FormColumn, GivenField } from './read.ts'

/** Longest answers (R39), in characters; types that are not here are no texts. */
export const longestAnswers: Partial<Record<FormFieldType, number>> = {
  text: 1000,
  longText: 10_000,
  email: 320,
  phone: 200,
  hidden: 1000,
}
const mostChoices = 1000

type Context = {
  fields: readonly GivenField[]
  languages: readonly string[]
  columns: readonly FormColumn[]
  live: Partial<Record<CrmEntity, readonly CrmField[]>>
  picklists: Picklists
  before: FormDefinition | undefined
  issues: Issue[]
}
type Fail = (at: string, message: string, code?: Issue['code']) => null

const isChoice = (type: FormFieldType): boolean => type === 'choice' || type === 'choices'

/** The items of the picklist as they are known now, else as the form was saved with them. */
const itemsOf = ({ name }: GivenField, picklist: NonNullable<FormField['picklist']>, context: Context, fail: Fail) => {
  const kept = context.before?.fields.find((each) => each.name === name)
  const isSame = kept?.picklist?.entity === picklist.entity && kept.picklist.field === picklist.field
  const items = context.picklists[`${picklist.entity}.${picklist.field}`] ?? (isSame ? kept.choices : [])
  if (items.length === 0) fail('picklist', 'The CRM has given no items of this picklist yet.')
  return [...items].slice(0, mostChoices)
}

const readChoices = ({ choices = [] }: GivenField, path: string, { languages, issues }: Context, fail: Fail) => {
  if (choices.length > mostChoices) fail('choices', `expects at most ${mostChoices} choices.`)
  const seen = new Set<string>()
  return choices.slice(0, mostChoices).map((each, index): FormChoice => {
    const { value: said, label = said } = typeof each === 'string' ? { value: each } : each
    const value = said.trim()
    const wrong = value === '' ? 'expects a value.' : textIssue(value, 200)
    if (wrong !== undefined) fail(`choices[${index}].value`, wrong)
    else if (seen.has(value)) fail(`choices[${index}].value`, `"${value}" is named twice.`, 'duplicateField')
    seen.add(value)
    const about = { languages, most: 500, path: `${path}.choices[${index}].label`, issues }
    return { value, label: readLocalised(label, about) }
  })
}

/** The CRM field whose picklist gives the choices, by its canonical name. One that is stored already stays, also when the CRM has it no more. */
const readPicklist = ({ name, picklist }: GivenField, { live, before }: Context, fail: Fail): FormField['picklist'] => {
  if (picklist == null) return null
  const { entity, field: said } = picklist
  const field = live[entity]?.find((each) => each.name.toLowerCase() === said.toLowerCase())
  if (field?.picklist != null) return { entity, field: field.name }
  const kept = before?.fields.find((each) => each.name === name)?.picklist
  if (kept?.entity === entity && kept.field === said) return kept
  if (field !== undefined) return fail('picklist.field', `${field.name} has no picklist.`)
  return live[entity] === undefined
    ? fail('picklist', `The fields of a ${entity} are not known at the moment.`, 'unknownField')
    : fail('picklist.field', `A ${entity} has no field "${said}".`, 'unknownField')
}

const readHidden = ({ type, hidden }: GivenField, fail: Fail): FormField['hidden'] => {
  if (type !== 'hidden') return hidden == null ? null : fail('hidden', 'Only a hidden field has this.')
  if (hidden == null) return fail('hidden', 'expects a value, or the parameter of the address that gives it.')
  if ('parameter' in hidden)
    return /^[\w.-]{1,100}$/.test(hidden.parameter)
      ? { parameter: hidden.parameter }
      : fail('hidden.parameter', 'expects letters, digits, dots, hyphens and underscores.')
  const wrong = hidden.value.trim() === '' ? 'expects a value.' : textIssue(hidden.value, longestAnswers.hidden!)
  return wrong === undefined ? { value: hidden.value } : fail('hidden.value', wrong)
}

const readLength = ({ type, maxLength = null }: GivenField, fail: Fail): number | null => {
  if (maxLength === null) return null
  const most = longestAnswers[type]
  if (most === undefined) return fail('maxLength', `A field of the type ${type} has no length.`)
  const fits = Number.isInteger(maxLength) && maxLength >= 1 && maxLength <= most
  return fits ? maxLength : fail('maxLength', `expects 1 to ${most}.`)
}

const isBound = (type: FormFieldType, value: number | string): boolean =>
  type === 'number'
    ? typeof value === 'number' && Number.isFinite(value)
    : typeof value === 'string' && readTyped('date', value)[0] === value

const readBounds = ({ type, min = null, max = null }: GivenField, fail: Fail): Pick<FormField, 'min' | 'max'> => {
  const bounds = { min, max }
  for (const [at, value] of Object.entries(bounds)) {
    if (value === null) continue
    if (type !== 'number' && type !== 'date') fail(at, 'Only numbers and days have bounds.')
    else if (!isBound(type, value))
      fail(at, type === 'number' ? 'expects a number.' : 'expects a day such as 2026-11-23.')
  }
  if (min !== null && max !== null && typeof min === typeof max && min > max) fail('max', 'is less than the least.')
  return bounds
}

/** The key of the column that keeps the answer. */
const readColumn = (given: GivenField, context: Context, fail: Fail): string | null => {
  const { column, name } = columnFor(given, context) ?? {}
  if (name === undefined) return null
  if (column === undefined) return fail('column', `The list has no column "${name}".`)
  if (column.key === emailKeyColumn && given.type !== 'email')
    return fail('column', 'Only an e-mail field fills this column.')
  if (!fieldFits(given.type, column.type))
    return fail('column', `A field of the type ${given.type} does not fit a ${column.type} column.`)
  const fixed = given.hidden && 'value' in given.hidden ? given.hidden.value : undefined
  if (fixed === undefined) return column.key
  const [value, expects] = readTyped(column.type, fixed)
  return value === undefined ? fail('hidden.value', `The column ${expects}.`) : column.key
}

/** One field; what is wrong goes to `issues` of the context. */
export const readField = (given: GivenField, path: string, context: Context): FormField => {
  const { languages, issues } = context
  const fail: Fail = (at, message, code = 'invalidInput') => {
    issues.push({ code, path: `${path}.${at}`, message })
    return null
  }
  const { name, type } = given
  if (!/^[A-Za-z][\w-]{0,63}$/.test(name))
    fail('name', 'expects a letter, then at most 63 letters, digits, hyphens and underscores.')
  const picklist = readPicklist(given, context, fail)
  const choices = picklist === null ? readChoices(given, path, context, fail) : itemsOf(given, picklist, context, fail)
  if (!isChoice(type) && (choices.length > 0 || picklist !== null)) fail('choices', 'Only a choice has choices.')
  if (isChoice(type) && choices.length === 0 && given.picklist == null) fail('choices', 'expects at least one choice.')
  if (type === 'hidden' && given.required === true) fail('required', 'Nobody can fill in a hidden field.')
  if (given.forEmail === true && type !== 'consent') fail('forEmail', 'Only a consent can be for e-mail.')
  const about = { languages, issues }
  return {
    name,
    type,
    label: readLocalised(given.label ?? name, { ...about, most: 500, path: `${path}.label` }),
    help: readLocalised(given.help ?? {}, { ...about, most: 2000, path: `${path}.help`, optional: true }),
    required: given.required ?? false,
    maxLength: readLength(given, fail),
    ...readBounds(given, fail),
    choices,
    picklist,
    hidden: readHidden(given, fail),
    ...(given.forEmail === true && { forEmail: true as const }),
    column: readColumn(given, context, fail),
  }
}

import { localised, type FormField } from '../../domain/form.ts'
import { attributes, markup, type Html } from './pageHtml.ts'
import type { PageText } from './pageText.ts'

export type Filled = {
  /** as it was sent: text, or several; anything else is shown as nothing */
  given: Record<string, unknown>
  /** field name → sentence */
  errors: ReadonlyMap<string, string>
}

type Shown = {
  field: FormField
  /** of the element that a person fills in, or of their group */
  id: string
  values: readonly string[]
  error: string | undefined
  language: string
  text: PageText
}

/** Up to so many answers stand side by side, more are a list that opens. */
const mostButtons = 6

/** What browsers may fill in by themselves, by the usual columns (WCAG 1.3.5). */
const purposes: Record<string, string> = { c2: 'given-name', c3: 'family-name' }
const purposeOf = ({ type, column }: FormField): string | undefined =>
  type === 'email' ? 'email' : type === 'phone' ? 'tel' : purposes[column ?? '']

const helpOf = ({ field, language, text }: Shown): string =>
  [localised(field.help, language), field.maxLength === null ? '' : text.most(field.maxLength)]
    .filter((each) => each !== '')
    .join(' ')

const describedBy = (shown: Shown): string | undefined => {
  const ids = [helpOf(shown) !== '' && `${shown.id}-help`, shown.error !== undefined && `${shown.id}-error`]
  return ids.filter((each) => each !== false).join(' ') || undefined
}

const label = ({ field, language, text }: Shown): Html =>
  markup`${localised(field.label, language)}${field.required && markup` <span class="mark">${text.required}</span>`}`

const notes = (shown: Shown): Html => {
  const help = helpOf(shown)
  return markup`${help !== '' && markup`<p class="help" id="${shown.id}-help">${help}</p>`}${
    shown.error !== undefined && markup`<p class="error" id="${shown.id}-error">${shown.text.error}: ${shown.error}</p>`
  }`
}

const frame = ({ error }: Shown, content: Html): Html =>
  markup`<div class="field${error !== undefined && ' wrong'}">${content}</div>
`

const common = (shown: Shown): Record<string, string | boolean | undefined> => ({
  id: shown.id,
  name: shown.field.name,
  required: shown.field.required,
  'aria-describedby': describedBy(shown),
  'aria-invalid': shown.error === undefined ? undefined : 'true',
})

const inputs: Partial<Record<FormField['type'], Record<string, string>>> = {
  email: { type: 'email', autocapitalize: 'none', spellcheck: 'false' },
  phone: { type: 'tel' },
  // a number field of a browser throws away what it does not understand
  number: { type: 'text', inputmode: 'decimal' },
  date: { type: 'date' },
}

const showInput = (shown: Shown): Html => {
  const { field, values } = shown
  const kind = inputs[field.type] ?? { type: 'text' }
  const bounds = field.type === 'date' ? { min: field.min, max: field.max } : {}
  const all = { ...common(shown), ...kind, ...bounds, autocomplete: purposeOf(field), value: values[0] ?? '' }
  return frame(shown, markup`<label for="${shown.id}">${label(shown)}</label>${notes(shown)}<input${attributes(all)}>`)
}

const showLongText = (shown: Shown): Html =>
  frame(
    shown,
    // the first line feed belongs to the tag
    markup`<label for="${shown.id}">${label(shown)}</label>${notes(shown)}<textarea${attributes({ ...common(shown), rows: 5 })}>
${shown.values[0]}</textarea>`,
  )

const showList = (shown: Shown): Html => {
  const { field, values, language, text } = shown
  const options = field.choices.map(
    (each) =>
      markup`<option${attributes({ value: each.value, selected: values.includes(each.value) })}>${localised(each.label, language)}</option>`,
  )
  return frame(
    shown,
    markup`<label for="${shown.id}">${label(shown)}</label>${notes(shown)}<select${attributes(common(shown))}><option value="">${text.choose}</option>${options}</select>`,
  )
}

/** The first button has the group's id, so that a link of the summary leads to where a person answers. */
const showButtons = (shown: Shown, type: 'radio' | 'checkbox'): Html => {
  const { field, values, language, id, error } = shown
  const buttons = field.choices.map((choice, at) => {
    const own = at === 0 ? id : `${id}-${at}`
    const all = { type, id: own, name: field.name, value: choice.value, checked: values.includes(choice.value) }
    const required = type === 'radio' && field.required
    return markup`<div class="option"><input${attributes({ ...all, required })}><label for="${own}">${localised(choice.label, language)}</label></div>`
  })
  const group = { class: error === undefined ? 'field' : 'field wrong', 'aria-describedby': describedBy(shown) }
  return markup`<fieldset${attributes(group)}>
    <legend>${label(shown)}</legend>
    ${notes(shown)}${buttons}
  </fieldset>
`
}

const showTick = (shown: Shown): Html => {
  const ticked = shown.values.some((each) => ['true', 'on', 'yes', '1'].includes(each.toLowerCase()))
  const all = { type: 'checkbox', ...common(shown), value: 'true', checked: ticked }
  return frame(
    shown,
    markup`${notes(shown)}<div class="option"><input${attributes(all)}><label for="${shown.id}">${label(shown)}</label></div>`,
  )
}

const show = (shown: Shown): Html => {
  const { field } = shown
  switch (field.type) {
    case 'longText':
      return showLongText(shown)
    case 'choice':
      return field.required && field.choices.length <= mostButtons ? showButtons(shown, 'radio') : showList(shown)
    case 'choices':
      return showButtons(shown, 'checkbox')
    case 'checkbox':
    case 'consent':
      return showTick(shown)
    case 'hidden':
      return markup`<input${attributes({ type: 'hidden', name: field.name, value: shown.values[0] ?? '' })}>
`
    default:
      return showInput(shown)
  }
}

const textsOf = (given: unknown): string[] =>
  [given]
    .flat()
    .filter((each) => ['string', 'number', 'boolean'].includes(typeof each))
    .map((each) => `${each}`)

export const fieldId = (index: number): string => `field-${index + 1}`

/** A field with its label above, its help and its error, and what was answered already. A fixed value stays with us. */
export const showField = (
  field: FormField,
  index: number,
  { given, errors }: Filled,
  { language, text }: Pick<Shown, 'language' | 'text'>,
): Html | null => {
  if (field.hidden !== null && 'value' in field.hidden) return null
  const values = textsOf(given[field.name])
  return show({ field, id: fieldId(index), values, error: errors.get(field.name), language, text })
}

export const fieldTypes = [
  'text',
  'longText',
  'email',
  'phone',
  'number',
  'date',
  'choice',
  'choices',
  'checkbox',
  'consent',
  'hidden',
] as const
export type FormFieldType = (typeof fieldTypes)[number]

/** Language (`en`, `de`) → text in it. */
export type Localised = Record<string, string>

export type FormChoice = { value: string; label: Localised }

/** One question of a form, F1. */
export type FormField = {
  /** the name that an answer is sent by; stable within the form */
  name: string
  type: FormFieldType
  label: Localised
  help: Localised
  required: boolean
  /** of text, in characters; null: the most that its type allows */
  maxLength: number | null
  /** of numbers and days, both included; null is open */
  min: number | string | null
  max: number | string | null
  /** choice and choices: what can be answered; of a picklist, its items when the form was saved */
  choices: FormChoice[]
  /** choice and choices: the CRM field (`lead.Industry`) whose picklist gives the choices */
  picklist: { entity: 'lead' | 'contact'; field: string } | null
  /** hidden: a fixed value, or the parameter of the page's URL that gives it */
  hidden: { value: string } | { parameter: string } | null
  /** consent: to be written to by e-mail, which ends the person's own opt-out (R34) */
  forEmail?: true
  /** key of the list's column that keeps the answer; e-mail and names have the usual keys; null: kept with the submission only */
  column: string | null
}

/** R29: what an answer does to a value that is there already. */
export type FormPolicy = 'overwrite' | 'blanksOnly' | 'createOnly'

export type FormDefinition = {
  name: string
  fields: FormField[]
  /** F1: whether submissions go to Infor CRM */
  push: boolean
  policy: FormPolicy
  /** lead field → value for new leads where the submission leaves it blank; also Owner, LeadSource, AccountManager */
  newLeadDefaults: Record<string, string | number | boolean>
  /** the first one is the default */
  languages: string[]
  title: Localised
  thanks: { text: Localised } | { redirect: string }
  /** origins whose scripts may post and read the answer; empty: any may post */
  allowedOrigins: string[]
}

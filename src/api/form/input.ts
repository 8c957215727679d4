import { z } from 'zod'
import { fieldTypes, formLanguages } from '../../domain/form.ts'
import { Entity, Id, Name, text } from '../schemas.ts'

export const FieldType = z.enum(fieldTypes)
export const Language = z.enum(formLanguages)
export const Policy = z.enum(['overwrite', 'blanksOnly', 'createOnly']).meta({
  description:
    '`overwrite`: answers replace what people have in the CRM; `blanksOnly`: they fill what is blank; `createOnly`: people who are there are left as they are. A blank answer clears nothing',
})

const GivenText = (most: number) =>
  z
    .union([text(most), z.partialRecord(Language, text(most))])
    .meta({ description: 'a text in the form’s first language, or language → text' })

const Bound = z.union([z.number(), text(10)]).nullable()

export const Hidden = z.union([z.strictObject({ value: text(1000) }), z.strictObject({ parameter: text(100) })])
export const Picklist = z.strictObject({ entity: Entity, field: text(128).min(1) })

const Field = z.strictObject({
  name: text(64).min(1).meta({ description: 'by which answers are sent; stable' }),
  type: FieldType,
  label: GivenText(500).optional(),
  help: GivenText(2000).optional(),
  required: z.boolean().optional(),
  maxLength: z.number().int().nullable().optional(),
  min: Bound.optional(),
  max: Bound.optional(),
  choices: z
    .array(z.union([text(200), z.strictObject({ value: text(200), label: GivenText(500).optional() })]))
    .max(1000)
    .optional(),
  picklist: Picklist.nullable()
    .optional()
    .meta({ description: 'the CRM field whose picklist gives the choices; read when the form is saved' }),
  hidden: Hidden.nullable()
    .optional()
    .meta({ description: 'of a hidden field: a fixed value, or the parameter of the page’s address that gives it' }),
  forEmail: z.boolean().optional().meta({
    description: 'of a consent: to be written to by e-mail; ticking it ends the person’s own opt-out',
  }),
  column: Name.nullable().optional().meta({
    description:
      'name, id or key of the list’s column that keeps the answer; a name that the list does not have makes a column. Left out: the column of the field’s name or label. null: the answer is kept with the submission only',
  }),
})

const Thanks = z.union([z.strictObject({ text: GivenText(10_000) }), z.strictObject({ redirect: text(2000) })])

const definition = {
  name: Name,
  fields: z.array(Field).min(1).max(200),
  push: z.boolean().optional().meta({ description: 'whether submissions go to Infor CRM; off where it is not said' }),
  policy: Policy.optional(),
  newLeadDefaults: z
    .record(text(128), z.union([text(2000), z.number(), z.boolean()]))
    .optional()
    .meta({ description: 'lead field → value for new leads; also `Owner`, `LeadSource`, `AccountManager`' }),
  languages: z.array(Language).min(1).max(formLanguages.length).optional(),
  title: GivenText(500).optional(),
  thanks: Thanks.optional(),
  allowedOrigins: z.array(text(2000)).max(50).optional(),
}

const example = {
  name: 'Trade fair',
  list: { name: 'Trade fair 2027' },
  push: true,
  fields: [
    { name: 'email', type: 'email', label: 'E-mail' },
    { name: 'lastName', type: 'text', label: 'Last name', required: true },
    { name: 'company', type: 'text', label: 'Company', required: true },
    { name: 'agrees', type: 'consent', label: 'You may write to me.', required: true },
  ],
}

export const NewForm = z
  .strictObject({
    list: z
      .union([z.strictObject({ id: Id }), z.strictObject({ name: Name, folderId: Id.optional() })])
      .meta({ description: 'the list that it fills: one that is there, or a new one' }),
    ...definition,
  })
  .meta({ id: 'NewForm', examples: [example] })

export const FormVersion = z
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1)

export const FormChanges = z
  .strictObject({
    version: FormVersion.meta({ description: 'as it was read; when the form has changed since, nothing is written' }),
    state: z.enum(['open', 'closed']).optional(),
    ...z.strictObject(definition).partial().shape,
  })
  .refine((changes) => Object.keys(changes).length > 1, 'names nothing to change')
  .meta({ id: 'FormChanges', examples: [{ version: 1, policy: 'blanksOnly' }] })

export const FormParams = z.strictObject({ formId: Id })

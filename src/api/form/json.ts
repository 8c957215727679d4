import { z } from 'zod'
import type { Column } from '../../db/column.ts'
import type { Form as Row } from '../../db/form.ts'
import type { List } from '../../db/list.ts'
import { namesOf } from '../../domain/counterpart.ts'
import { formWarnings, submissionStates, type FormField, type SubmissionState } from '../../domain/form.ts'
import type { SettingsOf } from '../../domain/settings.ts'
import { Id, Instant, instant } from '../schemas.ts'
import { FieldType, FormVersion, Hidden, Language, Picklist, Policy } from './input.ts'
import { attributes, markup } from './pageHtml.ts'

const Text = z.record(z.string(), z.string()).meta({ description: 'language → text' })
const Bound = z.union([z.number(), z.string()]).nullable()

const Field = z.object({
  name: z.string(),
  type: FieldType,
  label: Text,
  help: Text,
  required: z.boolean(),
  maxLength: z.number().int().nullable(),
  min: Bound,
  max: Bound,
  choices: z.array(z.object({ value: z.string(), label: Text })),
  picklist: Picklist.nullable(),
  hidden: Hidden.nullable(),
  forEmail: z.literal(true).optional().meta({ description: 'of a consent: ticking it ends the person’s own opt-out' }),
  column: z.string().nullable().meta({ description: 'name of the column; null: kept with the submission only' }),
})

const shared = {
  id: Id,
  name: z.string(),
  state: z.enum(['open', 'closed']).meta({ description: 'a closed form takes nothing' }),
  version: FormVersion.meta({
    description: 'rises with each change; a submission keeps the one that it was made with',
  }),
  list: z.object({ id: Id, name: z.string(), removed: z.boolean() }),
  push: z.boolean(),
  url: z.string().meta({ description: 'the public address; absolute where the operator has set PUBLIC_URL' }),
  createdAt: Instant,
  updatedAt: Instant,
}

const sharedExample = {
  id: '019ab3c4-7b00-7000-8000-778899001122',
  name: 'Trade fair',
  state: 'open',
  version: 1,
  list: { id: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071', name: 'Trade fair 2027', removed: false },
  push: true,
  url: 'https://fairlead.example.com/f/jCjUnsbdcWQD6tJBi_m99oEg',
  createdAt: '2026-11-23T10:00:00.000Z',
  updatedAt: '2026-11-23T10:00:00.000Z',
}

export const FormItem = z.object(shared).meta({ id: 'FormItem', examples: [sharedExample] })

const fieldExample = {
  name: 'email',
  type: 'email',
  label: { en: 'E-mail' },
  help: {},
  required: true,
  maxLength: null,
  min: null,
  max: null,
  choices: [],
  picklist: null,
  hidden: null,
  column: 'Email',
}

export const Form = z
  .object({
    ...shared,
    fields: z.array(Field),
    policy: Policy,
    newLeadDefaults: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    languages: z.array(Language),
    title: Text,
    thanks: z.union([z.object({ text: Text }), z.object({ redirect: z.string() })]),
    allowedOrigins: z.array(z.string()),
    embed: z.string().meta({ description: 'HTML that shows the form within another page' }),
    warnings: z.array(z.object({ code: z.string(), message: z.string(), field: z.string() })).meta({
      description:
        'what reaches nothing in the CRM, and fields of a new lead that stay blank although the CRM requires them',
    }),
    submissions: z
      .object(
        Object.fromEntries(submissionStates.map((state) => [state, z.number().int()])) as Record<
          SubmissionState,
          z.ZodNumber
        >,
      )
      .meta({ description: 'how many are in each state' }),
  })
  .meta({
    id: 'Form',
    examples: [
      {
        ...sharedExample,
        fields: [fieldExample],
        policy: 'overwrite',
        newLeadDefaults: {},
        languages: ['en'],
        title: { en: 'Trade fair' },
        thanks: { text: { en: 'Thank you.' } },
        allowedOrigins: [],
        embed:
          '<iframe src="https://fairlead.example.com/f/jCjUnsbdcWQD6tJBi_m99oEg" title="Trade fair" style="width:100%;height:40rem;border:0"></iframe>',
        warnings: [],
        submissions: { received: 0, pushing: 0, pushed: 12, stored: 0, waiting: 0, rejected: 1, held: 0 },
      },
    ],
  })

const embedOf = (src: string, title: string): string =>
  markup`<iframe${attributes({ src, title, style: 'width:100%;height:40rem;border:0' })}></iframe>`.text

type Item = Omit<Row, 'definition'> & { push: boolean }

export const formItem = (form: Item, list: Pick<List, 'id' | 'name' | 'removedAt'>, publicUrl: string | null) => ({
  id: form.id,
  name: form.name,
  state: form.state,
  version: form.version,
  list: { id: list.id, name: list.name, removed: list.removedAt !== null },
  push: form.push,
  url: `${publicUrl ?? ''}/f/${form.key}`,
  createdAt: instant(form.createdAt),
  updatedAt: instant(form.updatedAt),
})

type About = {
  list: List
  columns: readonly Column[]
  live: SettingsOf['live']
  counts: Partial<Record<SubmissionState, number>>
  publicUrl: string | null
}

export const formJson = (form: Row, { list, columns, live, counts, publicUrl }: About): z.infer<typeof Form> => {
  const { fields, policy, newLeadDefaults, languages, title, thanks, allowedOrigins } = form.definition
  const item = formItem({ ...form, push: form.definition.push }, list, publicUrl)
  const names = namesOf(columns)
  const named = (field: FormField) => ({
    ...field,
    column: field.column === null ? null : (names.get(field.column) ?? null),
  })
  return {
    ...item,
    fields: fields.map(named),
    policy,
    newLeadDefaults,
    languages: languages as z.infer<typeof Language>[],
    title,
    thanks,
    allowedOrigins,
    embed: embedOf(item.url, Object.values(title)[0] ?? form.name),
    warnings: formWarnings(form.definition, { kind: list.kind, columns, live }),
    submissions: Object.fromEntries(submissionStates.map((state) => [state, counts[state] ?? 0])) as Record<
      SubmissionState,
      number
    >,
  }
}

import { z } from 'zod'
import type { MappedColumn, Stored } from '../../db/standardField.ts'
import { usageCodes, usages, type AskedField } from '../../domain/standardField.ts'
import { Entity, exampleOf, Id, Name, text } from '../schemas.ts'

const UsageCode = z.enum(usageCodes).meta({ description: 'what it is in the CRM' })
const Version = z.number().int().min(0)
const FieldName = text(200).min(1)

const fieldsMeta = (entity: string) => ({
  description: `the field of a ${entity}: that of the system usage, or one that is given by hand where there is no usage`,
})

const StandardField = z
  .object({
    id: Id.nullable().meta({ description: 'null in a proposal: not there yet' }),
    name: z.string(),
    aliases: z.array(z.string()).meta({ description: 'further names of columns that mean it' }),
    systemUsage: UsageCode.nullable(),
    leadField: z.string().nullable().meta(fieldsMeta('lead')),
    contactField: z.string().nullable().meta(fieldsMeta('contact')),
  })
  .meta({
    id: 'StandardField',
    description: 'An account-wide name of columns, and what such a column is in the CRM',
    examples: [
      {
        id: '019ab3c4-7c00-7000-8000-778899001122',
        name: 'Business City',
        aliases: ['City', 'Ort', 'Stadt'],
        systemUsage: 'businessCity',
        leadField: 'Address/City',
        contactField: 'Address/City',
      },
    ],
  })
type StandardField = z.infer<typeof StandardField>
const example = exampleOf(StandardField) as StandardField

const Usage = z.object({
  code: UsageCode,
  label: z.string(),
  address: z.boolean(),
  leadField: z.string().nullable(),
  contactField: z.string().nullable(),
  aliases: z.array(z.string()).meta({ description: 'common names of such columns, which “Optimize” proposes' }),
})

const MappedColumnJson = z.object({
  list: z.object({ id: Id, name: z.string() }),
  column: z.object({ id: Id, name: z.string() }),
  standardField: z.string().nullable(),
  crmField: z.string().nullable().meta({ description: 'the field that it is bound to' }),
  state: z.enum(['mapped', 'byName', 'unmapped', 'addressNotMapped', 'fieldTaken']).meta({
    description:
      '`byName`: its standard field is nothing in the CRM; `addressNotMapped`: an address that is not pushed; `fieldTaken`: another column of the list is that CRM field',
  }),
})

const stored = {
  version: Version.meta({ description: '0 until they are saved for the first time' }),
  items: z.array(StandardField),
}
const columnExample = {
  list: { id: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071', name: 'Trade fair 2027' },
  column: { id: '019ab3c4-5d70-7000-8000-556677889900', name: 'Ort' },
  standardField: 'Business City',
  crmField: null,
  state: 'mapped',
}

export const StandardFields = z
  .object({
    ...stored,
    usages: z.array(Usage).meta({ description: 'every system usage there is' }),
    columns: z.array(MappedColumnJson).meta({
      description: 'a page of the columns of all lists, but for those that every list has, and what each is in the CRM',
    }),
    nextCursor: z.string().nullable().meta({ description: 'of `columns`; null on the last page' }),
  })
  .meta({
    id: 'StandardFields',
    examples: [
      {
        version: 3,
        items: [example],
        usages: [
          {
            code: 'businessCity',
            label: 'Business City',
            address: true,
            leadField: 'Address/City',
            contactField: 'Address/City',
            aliases: ['City', 'Ort', 'Stadt'],
          },
        ],
        columns: [columnExample],
        nextCursor: null,
      },
    ],
  })

export const SavedFields = z
  .object(stored)
  .meta({ id: 'SavedStandardFields', examples: [{ version: 4, items: [example] }] })

const Proposed = StandardField.extend({
  proposal: z.enum(['kept', 'completed', 'added']).meta({
    description:
      '`kept`: as it is; `completed`: one that was nothing in the CRM gets a system usage; `added`: a new one',
  }),
}).meta({ id: 'ProposedStandardField', examples: [{ ...example, id: null, proposal: 'added' }] })

export const Proposal = z
  .object({
    version: Version,
    items: z.array(Proposed),
    notCovered: z.array(z.object({ entity: Entity, field: z.string(), custom: z.boolean() })).meta({
      description: 'address fields of the CRM that no system usage is for; give them to a standard field by hand',
    }),
  })
  .meta({
    id: 'StandardFieldProposal',
    description: 'What “Optimize for Infor CRM” proposes; PUT /v1/standard-fields takes it as it is',
    examples: [
      {
        version: 3,
        items: [exampleOf(Proposed)],
        notCovered: [{ entity: 'contact', field: 'Address/CRegion', custom: true }],
      },
    ],
  })

const ignored = z.unknown().optional().meta({ description: 'as answered; not looked at' })

export const NewStandardFields = z
  .strictObject({
    version: Version.meta({ description: 'the one that was read' }),
    items: z
      .array(
        z.strictObject({
          id: Id.nullish().meta({ description: 'of one that is there, whatever its name; without it the name counts' }),
          name: Name,
          aliases: z.array(Name).max(100).default([]),
          systemUsage: UsageCode.nullable().default(null),
          leadField: FieldName.nullable().default(null).meta(fieldsMeta('lead')),
          contactField: FieldName.nullable().default(null).meta(fieldsMeta('contact')),
          proposal: ignored,
        }),
      )
      .max(500),
    usages: ignored,
    columns: ignored,
    nextCursor: ignored,
    notCovered: ignored,
  })
  .meta({
    id: 'NewStandardFields',
    examples: [
      { version: 3, items: [{ name: 'Business City', aliases: ['City', 'Ort'], systemUsage: 'businessCity' }] },
    ],
  })

export const askedOf = ({ items }: z.infer<typeof NewStandardFields>): AskedField[] =>
  items.map(({ id = null, proposal: _proposal, ...field }) => ({ id, ...field }))

type Named = Omit<StandardField, 'systemUsage'> & { systemUsage: string | null }
export const fieldJson = ({ id, name, aliases, systemUsage, leadField, contactField }: Named): StandardField => ({
  id,
  name,
  aliases,
  systemUsage: usageCodes.find((code) => code === systemUsage) ?? null,
  leadField,
  contactField,
})

export const savedJson = ({ version, items }: Stored) => ({ version, items: items.map(fieldJson) })

export const usagesJson = usages.map(({ code, label, address, lead, contact, aliases }) => ({
  code,
  label,
  address,
  leadField: lead,
  contactField: contact,
  aliases: [...aliases],
}))

export const mappedJson = ({ list, column, state }: MappedColumn) => ({
  list,
  column: { id: column.id, name: column.name },
  standardField: column.standard?.name ?? null,
  crmField: column.crmField,
  state,
})

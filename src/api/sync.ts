import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as settings from '../db/sync/settings.ts'
import { permits, type Role } from '../domain/account.ts'
import { namesOf } from '../domain/counterpart.ts'
import { warningsOf } from '../domain/settings.ts'
import { actorOf } from './auth.ts'
import { NewSchedule, scheduleExample, ScheduleSpecJson } from './schedule/input.ts'
import { Id, text } from './schemas.ts'
import type { Services } from './services.ts'

const mostFields = 1000
const FieldName = text(200).min(1)
const Fields = z.array(FieldName).max(mostFields)

const push = {
  enabled: z.boolean(),
  addNew: z.boolean().meta({ description: 'records that nobody in the CRM matches become leads' }),
  updateExisting: z.boolean().meta({ description: 'the chosen fields of people who are in the CRM are written' }),
}
const fieldsMeta = { description: 'the fields that are written to people who are in the CRM' }
const clearMeta = { description: 'of `fields`, those whose blank here clears the CRM’s value too' }
const Default = z.union([text(2000), z.number(), z.boolean()])
const Defaults = z.record(text(128).min(1), Default)
const defaultsMeta = {
  description:
    'field of a lead → value for new leads where the record leaves it blank; also Owner, LeadSource and AccountManager',
}
const pull = {
  enabled: z.boolean(),
  addNew: z.boolean().meta({ description: 'people who were added in the CRM come onto the list' }),
  updateExisting: z.boolean().meta({ description: 'people who were changed in the CRM are brought up to date' }),
}
const excludedMeta = { description: 'the fields that are not brought up to date' }
const Version = z.number().int().min(0)

const example = {
  version: 3,
  push: {
    enabled: true,
    addNew: true,
    updateExisting: true,
    fields: ['Title', 'WorkPhone'],
    clearFields: [],
    newLeadDefaults: { LeadSource: 'Newsletter' },
  },
  pull: { enabled: true, addNew: true, updateExisting: true, excludedFields: [] },
  addColumns: [],
  schedule: scheduleExample,
}

export const SyncSettings = z
  .object({
    version: Version.meta({ description: '0 until the settings are saved for the first time' }),
    push: z.object({
      ...push,
      fields: z.array(z.string()).meta(fieldsMeta),
      clearFields: z.array(z.string()).meta(clearMeta),
      newLeadDefaults: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).meta(defaultsMeta),
    }),
    pull: z.object({ ...pull, excludedFields: z.array(z.string()).meta(excludedMeta) }),
    addColumns: z.array(z.string()).meta({ description: 'always empty in an answer' }),
    schedule: ScheduleSpecJson.nullable().meta({ description: 'when it syncs by itself; null: never' }),
    warnings: z
      .array(z.object({ code: z.string(), message: z.string(), field: z.string() }))
      .meta({ description: 'what is risky about the settings, for what they switch on' }),
  })
  .meta({
    id: 'SyncSettings',
    description:
      'What a list pushes and pulls; a plain list and a segment can only push. Fields go by the name that records show them by; e-mail and names are Email, FirstName, LastName.',
    examples: [
      {
        ...example,
        warnings: [
          {
            code: 'noFieldOnLead',
            message: 'A lead cannot hold Department: it is left out of leads.',
            field: 'Department',
          },
        ],
      },
    ],
  })
export type SyncSettings = z.infer<typeof SyncSettings>

const NewColumn = z.union([FieldName, z.strictObject({ crmField: FieldName })])

export const NewSyncSettings = z
  .strictObject({
    version: Version.meta({ description: 'the one that was read' }),
    push: z.strictObject({
      ...push,
      fields: Fields.default([]).meta(fieldsMeta),
      clearFields: Fields.default([]).meta(clearMeta),
      newLeadDefaults: Defaults.refine((given) => Object.keys(given).length <= 200, 'has more than 200 fields')
        .default({})
        .meta(defaultsMeta),
    }),
    pull: z.strictObject({ ...pull, excludedFields: Fields.default([]).meta(excludedMeta) }),
    addColumns: z
      .array(NewColumn)
      .max(mostFields)
      .default([])
      .meta({ description: 'CRM fields that become columns; `push` and `pull` may name them already' }),
    schedule: NewSchedule.nullish().meta({
      description:
        'left out: it stays as it is; null: it ends. Another one than the stored one needs the role admin, and a free slot where there was none',
    }),
    warnings: z.unknown().optional().meta({ description: 'as answered; not looked at' }),
  })
  .meta({ id: 'NewSyncSettings', examples: [example] })

export const syncJson = ({ settings: { version, push, pull }, of, schedule }: settings.Described): SyncSettings => {
  const names = namesOf(of.columns)
  const named = (keys: string[]): string[] =>
    keys.flatMap((key) => {
      const name = names.get(key)
      return name === undefined ? [] : [name]
    })
  return {
    version,
    push: { ...push, fields: named(push.fields), clearFields: named(push.clearFields) },
    pull: { ...pull, excludedFields: named(pull.excludedFields) },
    addColumns: [],
    schedule,
    warnings: warningsOf({ push, pull }, of),
  }
}

/** Settings as a request gives them. */
export const askedOf = (
  { version, push, pull, addColumns, schedule }: z.infer<typeof NewSyncSettings>,
  role: Role,
): settings.Asked => ({
  version,
  schedule,
  mayChangeSchedule: permits(role, 'admin'),
  push,
  pull,
  addColumns: addColumns.map((each) => (typeof each === 'string' ? each : each.crmField)),
})

/** What a save can be refused with. */
export const syncProblems = [
  'conflict',
  'unknownColumn',
  'fieldReadOnly',
  'duplicateField',
  'unknownField',
  'secretField',
  'nameTaken',
  'pullNotPossible',
  'notConnected',
  'slotsFull',
] as const

const ListParams = z.strictObject({ listId: Id })
const tags = ['Lists']

export const syncRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, relay }) => {
  app.get(
    '/lists/:listId/sync',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'What a list pushes and pulls',
        description: 'Until it is saved: nothing is pushed, everything is pulled. A plain list never pulls.',
        params: ListParams,
        response: { 200: SyncSettings },
      },
    },
    async ({ caller: { accountId }, params: { listId } }) => syncJson(await settings.describe(db, accountId, listId)),
  )

  app.put(
    '/lists/:listId/sync',
    {
      config: {
        role: 'marketer',
        problems: [...syncProblems],
      },
      schema: {
        tags,
        summary: 'Save what a list pushes and pulls',
        description:
          'Everything is replaced and stored as a whole, or nothing is. The version must be the current one; a conflict names it. A run under way keeps the settings that it began with; what is pulled anew is read for everybody by the next one.',
        params: ListParams,
        body: NewSyncSettings,
        response: { 200: SyncSettings },
      },
    },
    async ({ caller, id, params, body }) => {
      const asked = askedOf(body, caller.role)
      const saved = await settings.save(db, caller.accountId, params.listId, asked, actorOf({ caller, id }))
      await relay()
      return syncJson(saved)
    },
  )
}

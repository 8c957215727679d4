import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as columns from '../../db/column.ts'
import * as lists from '../../db/list.ts'
import * as timelines from '../../db/record/timeline.ts'
import { columnFinder } from '../../domain/counterpart.ts'
import { misplaced } from '../../domain/errors.ts'
import { entryDays } from '../../domain/run.ts'
import { isEdited } from '../../domain/sync.ts'
import { changeHere } from '../../domain/timeline.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { exampleOf, Id, PageQuery, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { RecordParams } from './input.ts'
import { Event, eventJson, namedValues, namesFor, plain, type Names } from './timelineJson.ts'

const TimelineQuery = PageQuery.extend({
  field: text(200)
    .min(1)
    .optional()
    .meta({ description: 'only what touched this field, named as in `changes`, by CRM field, column name or key' }),
})

const Value = z.union([z.string(), z.number(), z.boolean(), z.null()])
const Current = z
  .object({
    field: z.string(),
    value: Value.optional().meta({ description: 'missing where it is absent' }),
    pending: z.boolean().meta({ description: 'changed here, and the CRM has not agreed to it yet' }),
    held: z.boolean().meta({ description: 'set back by an undo: neither pushed nor pulled until either side changes' }),
    agreed: Value.optional().meta({
      description: 'of a pending value what both sides had before, of a held one what the CRM has, as far as is known',
    }),
    eventId: z
      .string()
      .nullable()
      .meta({ description: 'the event that gave it this value here; null: its history is too old' }),
  })
  .meta({ id: 'TimelineCurrent', description: 'The field as it is now' })

const Timeline = z
  .object({
    items: z.array(Event),
    nextCursor: z.string().nullable().meta({ description: 'null on the last page' }),
    current: Current.nullable().meta({ description: 'of the field that was asked for' }),
  })
  .meta({ id: 'Timeline', examples: [{ items: [exampleOf(Event)], nextCursor: null, current: null }] })

type Column = { key: string; createdAt: Date }

export const timelineRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  const currentOf = async (
    subject: timelines.Subject,
    { key }: Column,
    name: Names,
  ): Promise<z.infer<typeof Current>> => {
    const steps = await timelines.stepsOf(db, subject, key)
    const last = steps.find(({ changes }) => changes[key] !== undefined && changeHere(changes[key]) !== undefined)
    const isKept = Date.now() - subject.createdAt.getTime() < entryDays * 86_400_000
    const value = subject.fields[key]
    const waiting = subject.agreed[key]
    return {
      field: name(key),
      ...(value === undefined ? {} : { value: plain(value) }),
      pending: isEdited(waiting),
      held: waiting?.h === true,
      ...(waiting?.v === undefined ? {} : { agreed: plain(waiting.v) }),
      eventId: last?.id ?? (isKept ? subject.id : null),
    }
  }

  app.get(
    '/lists/:listId/records/:recordId/timeline',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags: ['Records'],
        summary: 'Why a record is as it is',
        description:
          'Everything that touched the record, newest first: each run, edit, conflict and decision, with the rule, the side that won, what was sent and what the CRM made of it. Also of a removed record. Its making, which is last but for forms that were filled in before it, has the values that it was made with. Events are kept 90 days.',
        params: RecordParams,
        querystring: TimelineQuery,
        response: { 200: Timeline },
      },
    },
    async ({ caller: { accountId }, params: { listId, recordId }, query: { limit, cursor, field } }) => {
      await lists.get(db, accountId, listId)
      const subject = await timelines.open(db, accountId, listId, recordId)
      const known = await columns.all(db, accountId, listId)
      const column = field === undefined ? undefined : columnFinder(known)(field)
      if (field !== undefined && column === undefined) throw misplaced('field', 'The list has no such column.')
      const lost = await columns.lostNames(db, accountId, listId)
      const name = namesFor(known, lost)
      const scope = [accountId, 'timeline', listId, recordId, column?.key ?? null]
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await timelines.page(db, subject, { before, key: column?.key, limit: limit + 1 })
      const isFirst = rows.slice(0, limit).some(({ of }) => of === 'creation')
      const made = isFirst ? await timelines.valuesAtFirst(db, subject, entryDays) : null
      // a record also keeps values that a plain list has no columns for
      const keys = new Set([...known.map(({ key }) => key), ...lost.keys()])
      const values = made && Object.fromEntries(Object.entries(made.values).filter(([key]) => keys.has(key)))
      const first = {
        crm: subject.links[0] ?? null,
        values: values && namedValues(values, name),
        complete: made && made.complete,
      }
      const page = cutPage(
        rows,
        limit,
        (row) => eventJson(row, name, first),
        ({ id }) => writeCursor(secrets, scope, id),
      )
      return { ...page, current: column === undefined ? null : await currentOf(subject, column, name) }
    },
  )
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as columns from '../../db/column.ts'
import * as lists from '../../db/list.ts'
import { findDuplicates, removeDuplicates, type By } from '../../db/record/duplicates.ts'
import { misplaced } from '../../domain/errors.ts'
import { columnIndex } from '../../domain/filter.ts'
import { isWritable, labelsOf } from '../../domain/record.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Cursor, exampleOf, pageOf, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { createGate } from './gate.ts'
import { ListParams, openList } from './input.ts'
import { ListRecord, recordJson } from './json.ts'

const shape = {
  by: z.array(text(200).min(1)).min(1).max(5).default(['email']).meta({
    description:
      'columns, named as in a filter: records that are equal in all of them are duplicates; text in any case, and a blank is equal to nothing',
  }),
  keep: z.enum(['oldest', 'newest']).default('oldest').meta({
    description: 'which one comes first in its group; one that is linked to the CRM always comes before others',
  }),
}

const DuplicateSearch = z
  .strictObject({ ...shape, limit: z.number().int().min(1).max(100).default(20), cursor: Cursor.optional() })
  .meta({ id: 'DuplicateSearch', examples: [{ by: ['email'], limit: 20 }] })

const DuplicateRemoval = z
  .strictObject({
    ...shape,
    linked: z.boolean().default(false).meta({
      description:
        'also remove records of several people in the CRM who are equal: from this list, never from the CRM. Without it they all stay.',
    }),
    fillBlanks: z
      .boolean()
      .default(true)
      .meta({ description: 'the one that stays takes over what it has no value for' }),
  })
  .meta({ id: 'DuplicateRemoval', examples: [{ by: ['email'], keep: 'oldest' }] })

const Duplicates = z
  .object({
    count: z.number().int().meta({ description: 'how many records are equal' }),
    records: z.array(ListRecord).meta({ description: 'up to 20 of them; the first is the one that would stay' }),
  })
  .meta({ id: 'Duplicates', examples: [{ count: 2, records: [exampleOf(ListRecord)] }] })

const count = z.number().int()
const RemovedDuplicates = z
  .object({
    groups: count,
    removed: count,
    filled: count.meta({ description: 'values that records which stay took over' }),
    changedMeanwhile: count.meta({ description: 'left alone, because somebody changed them at that moment' }),
    more: z.boolean().meta({ description: 'up to 10,000 are removed at once: ask again' }),
  })
  .meta({
    id: 'RemovedDuplicates',
    examples: [{ groups: 12, removed: 14, filled: 3, changedMeanwhile: 0, more: false }],
  })

const columnsOf = (known: readonly columns.Column[], said: readonly string[]): By => {
  const find = columnIndex(known)
  const found = said.map((name, index) => {
    const column = find(name)
    if (column !== undefined) return { key: column.key, type: column.type }
    throw misplaced(`by[${index}]`, 'The list has no such column.')
  })
  const byKey = new Map(found.map((column) => [column.key, column]))
  return [...byKey.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

const GroupKey = z.object({ key: z.string() })

export const duplicateRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets } = services
  // Each reads the whole list.
  const gate = createGate(2, 20)

  app.post(
    '/lists/:listId/duplicates',
    {
      config: { role: 'viewer', problems: ['invalidCursor', 'queryTimeout'] },
      schema: {
        tags: ['Records'],
        summary: 'Find duplicates on a list',
        params: ListParams,
        body: DuplicateSearch,
        response: { 200: pageOf(Duplicates) },
      },
    },
    async ({ caller: { accountId }, params: { listId }, body: { by, keep, limit, cursor } }) => {
      const list = await lists.get(db, accountId, listId)
      const known = await columns.all(db, accountId, listId)
      const keys = columnsOf(known, by)
      const scope = [accountId, 'duplicates', listId, keys, keep]
      const after = readCursor(secrets, scope, cursor, GroupKey)?.key
      const groups = await gate(accountId, () =>
        findDuplicates(db, accountId, list, { by: keys, keep, after, limit: limit + 1 }),
      )
      const labels = labelsOf(known)
      return cutPage(
        groups,
        limit,
        ({ count, records }) => ({ count, records: records.map((row) => recordJson(row, labels)) }),
        ({ key }) => writeCursor(secrets, scope, { key }),
      )
    },
  )

  app.post(
    '/lists/:listId/duplicates/remove',
    {
      config: { role: 'marketer', problems: ['queryTimeout'] },
      schema: {
        tags: ['Records'],
        summary: 'Remove duplicates from a list',
        description:
          'Of each group the first record stays, as POST …/duplicates shows them. The others are removed from the list and can be restored; the CRM is untouched.',
        params: ListParams,
        body: DuplicateRemoval,
        response: { 200: RemovedDuplicates },
      },
    },
    async ({ caller, id, params: { listId }, body: { by, fillBlanks, ...asked } }) => {
      const { scope } = await openList(services, caller, listId)
      const known = await columns.all(db, caller.accountId, listId)
      const fillable = new Set(fillBlanks ? known.filter(isWritable).map(({ key }) => key) : [])
      const removal = { ...asked, by: columnsOf(known, by), fillable }
      return gate(caller.accountId, () => removeDuplicates(db, scope, removal, actorOf({ caller, id })))
    },
  )
}

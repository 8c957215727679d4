import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as records from '../../db/record/read.ts'
import * as writes from '../../db/record/write.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Services } from '../services.ts'
import {
  isEmpty,
  keepDigits,
  ListParams,
  NewRecord,
  openList,
  readExternalId,
  readOrRefuse,
  RecordParams,
  recordShape,
} from './input.ts'
import { ListRecord, recordJson } from './json.ts'

const RecordChanges = z
  .strictObject({
    ...recordShape,
    version: z
      .number()
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .optional()
      .meta({ description: 'as it was read; when the record has changed since, nothing is written' }),
  })
  .refine(({ version: _version, ...changes }) => Object.keys(changes).length > 0, 'names nothing to change')
  .meta({ id: 'RecordChanges', examples: [{ lastName: 'Miller-Jones', fields: { WorkPhone: null }, version: 2 }] })

const tags = ['Records']

export const recordWriteRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db } = services
  keepDigits(app)

  const show = async ({ list, scope, labels }: Awaited<ReturnType<typeof openList>>, recordId: string) =>
    recordJson(await records.get(db, scope.accountId, list, recordId), labels)

  app.post(
    '/lists/:listId/records',
    {
      config: { role: 'marketer', problems: ['fieldReadOnly', 'externalIdTaken'] },
      schema: {
        tags,
        summary: 'Make a record',
        description:
          'Always a new one, also where another record has the address: POST …/records/bulk finds those that are there. A list that pushes sends it to the CRM with its next sync.',
        params: ListParams,
        body: NewRecord,
        response: { 201: ListRecord },
      },
    },
    async ({ caller, params: { listId }, body: { externalId: given, ...input } }, reply) => {
      const opened = await openList(services, caller, listId)
      const found = readOrRefuse(opened.read, input)
      const externalId = readExternalId(given) ?? null
      if (isEmpty(found, externalId)) throw new FairleadError('invalidInput', { detail: 'The record is empty.' })
      const recordId = await writes.insert(db, opened.scope, { values: found.values, externalId })
      reply.code(201).header('location', `/v1/lists/${listId}/records/${recordId}`)
      return show(opened, recordId)
    },
  )

  app.patch(
    '/lists/:listId/records/:recordId',
    {
      config: { role: 'marketer', problems: ['fieldReadOnly', 'externalIdTaken', 'conflict', 'erased'] },
      schema: {
        tags,
        summary: 'Change a record',
        description:
          'What is not named stays. Changed values of a person who is in the CRM are `pending` until a sync has sent them, if its settings say so.',
        params: RecordParams,
        body: RecordChanges,
        response: { 200: ListRecord },
      },
    },
    async ({ caller, params: { listId, recordId }, body: { externalId, version, ...input } }) => {
      const opened = await openList(services, caller, listId)
      const { values } = readOrRefuse(opened.read, input)
      await writes.update(db, opened.scope, recordId, { values, externalId: readExternalId(externalId), version })
      return show(opened, recordId)
    },
  )

  app.delete(
    '/lists/:listId/records/:recordId',
    {
      config: { role: 'marketer' },
      schema: {
        tags,
        summary: 'Remove a record from its list',
        description:
          'The CRM is untouched, and no sync brings the person back to this list. GET …/records?removed=true shows what can be restored.',
        params: RecordParams,
        response: { 204: z.undefined() },
      },
    },
    async ({ caller, params: { listId, recordId } }, reply) => {
      const { scope } = await openList(services, caller, listId)
      await writes.remove(db, scope, recordId)
      return reply.code(204).send()
    },
  )

  app.post(
    '/lists/:listId/records/:recordId/restore',
    {
      config: { role: 'marketer', problems: ['recordMerged'] },
      schema: {
        tags,
        summary: 'Bring a removed record back',
        description: 'The next sync reads the person anew. A record that is there already stays as it is.',
        params: RecordParams,
        response: { 200: ListRecord },
      },
    },
    async ({ caller, params: { listId, recordId } }) => {
      const opened = await openList(services, caller, listId)
      await writes.restore(db, opened.scope, recordId)
      return show(opened, recordId)
    },
  )
}

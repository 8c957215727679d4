import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import * as columns from '../../db/column.ts'
import * as lists from '../../db/list.ts'
import { scopeOf } from '../../db/record/edit.ts'
import { FairleadError } from '../../domain/errors.ts'
import { createReader, labelsOf, type RecordInput, type RecordRead } from '../../domain/record.ts'
import { guardNumbers } from '../../domain/values.ts'
import { Id, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { readJson } from '../strict.ts'

export const ListParams = z.strictObject({ listId: Id })
export const RecordParams = ListParams.extend({ recordId: Id })

const mostFields = 1000

/** The values themselves are read by domain/record.ts, against the list's columns. */
const Fields = z
  .record(text(200), z.unknown())
  .refine((fields) => Object.keys(fields).length <= mostFields, `has more than ${mostFields} values`)
  .meta({
    description: `by CRM field, by the column’s name where it has none, or by its key, in any case; null and blank text clear. Numbers that a double cannot hold keep their digits, as a number or as text. Columns that the list has not, or that are read only, are refused.`,
    additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
  })

const Text = text(100_000).nullable()

export const recordShape = {
  email: text(1000).nullable().optional(),
  firstName: Text.optional(),
  lastName: Text.optional(),
  fields: Fields.optional(),
  externalId: text(200).nullable().optional().meta({ description: 'the caller’s own id, unique within the list' }),
}

export const NewRecord = z.strictObject(recordShape).meta({
  id: 'NewRecord',
  examples: [
    {
      email: 'pat.miller@example.com',
      firstName: 'Pat',
      lastName: 'Miller',
      fields: { WorkPhone: '+1 555 0100', 'Address/City': 'Springfield' },
      externalId: 'shop-1042',
    },
  ],
})

/** Trimmed; blank is none. Undefined leaves it as it is. */
export const readExternalId = (value: string | null | undefined): string | null | undefined =>
  value === undefined ? undefined : value?.trim() || null

/** Nobody: such a record could never be found again. */
export const isEmpty = ({ values }: RecordRead, externalId: string | null | undefined): boolean =>
  Object.values(values).every((value) => value === null) && typeof externalId !== 'string'

/** Errors: those of the reader's troubles. */
export const readOrRefuse = (read: (input: RecordInput) => RecordRead, input: RecordInput): RecordRead => {
  const found = read(input)
  const [first] = found.troubles
  if (first === undefined) return found
  const errors = found.troubles.map(({ path, message }) => ({ path, message }))
  throw new FairleadError(first.code, { detail: `${first.path}: ${first.message}`, errors })
}

/** What a route needs to write records of a list. Errors: notFound. */
export const openList = async (
  { db, secrets }: Services,
  { accountId, apiKeyId }: FastifyRequest['caller'],
  listId: string,
) => {
  const list = await lists.get(db, accountId, listId)
  const known = await columns.all(db, accountId, listId)
  const scope = { ...(await scopeOf(db, secrets, { accountId, listId }, known)), apiKeyId }
  return { list, scope, read: createReader(known), labels: labelsOf(known) }
}

type Parsers = Pick<FastifyInstance, 'getDefaultJsonParser' | 'removeContentTypeParser' | 'addContentTypeParser'>

/** A numeral that a double would change arrives as `{ bigDecimal }`, digit by digit (R8); only a number column takes it. */
export const keepDigits = (app: Parsers): void => {
  const parse = app.getDefaultJsonParser('error', 'error')
  readJson(app, (request, body, done) => {
    const exact = guardNumbers(body, (numeral) => `{"bigDecimal":"${numeral}"}`)
    // Declared as perhaps returning a promise, which it does not.
    void parse(request, exact, (error, value) =>
      error === null ? done(null, value) : done(new FairleadError('invalidJson', { cause: error })),
    )
  })
}

import { z } from 'zod'
import { errorTable, type ErrorCode } from '../domain/errors.ts'
import { isText } from '../domain/typed.ts'

export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => isText(value), 'contains characters that are not text')

/** Text that people name things with. */
export const Name = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .refine((value) => isText(value), 'contains characters that are not text')

export const Id = z.uuid().meta({ description: 'An opaque id', examples: ['019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071'] })
export const Instant = z.iso.datetime().meta({ examples: ['2026-11-23T10:00:00.000Z'] })
export const Entity = z.enum(['lead', 'contact']).meta({ description: 'The kind of person in the CRM' })

export const instant = (at: Date): string => at.toISOString()
export const instantOrNull = (at: Date | null): string | null => at?.toISOString() ?? null

const Limit = z.coerce
  .number()
  .int()
  .min(1)
  .max(200)
  .default(50)
  .meta({ description: 'How many items at most, 1 to 200' })
export const Cursor = text(4000).meta({ description: '`nextCursor` of the page before, with the same filter and sort' })
export const PageQuery = z.strictObject({ limit: Limit, cursor: Cursor.optional() })

type Examples = { examples?: unknown[] }
export const exampleOf = (schema: z.ZodType): unknown => (schema.meta() as Examples | undefined)?.examples?.[0]

/** `{ items, nextCursor }`: every collection of the API. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z
    .object({
      items: z.array(item),
      nextCursor: z.string().nullable().meta({ description: 'null on the last page' }),
    })
    .meta({ examples: [{ items: [exampleOf(item)], nextCursor: null }] })

export const CrmSaid = z
  .object({
    status: z.number().int().optional(),
    code: z.string().optional(),
    message: z.string().optional(),
    field: z.string().optional(),
  })
  .meta({ id: 'CrmSaid', description: 'What the CRM itself said' })

const codes = Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]

export const Problem = z
  .looseObject({
    type: z.string().meta({ description: 'A relative address that explains the code' }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().meta({ description: 'One sentence about the cause' }),
    code: z.enum(codes).meta({ description: 'Stable; decide on this' }),
    remedy: z.string().meta({ description: 'One sentence about what to do' }),
    errors: z.array(z.object({ path: z.string(), message: z.string(), code: z.string().optional() })).optional(),
    requestId: z.string(),
    crm: CrmSaid.optional(),
  })
  .meta({
    id: 'Problem',
    description: 'RFC 9457. Some codes add members, such as `list` for `alreadyImported`.',
    examples: [
      {
        type: '/docs/problems#notFound',
        title: errorTable.notFound.title,
        status: 404,
        detail: errorTable.notFound.title,
        code: 'notFound',
        remedy: errorTable.notFound.remedy,
        requestId: 'req-1',
      },
    ],
  })
export type Problem = z.infer<typeof Problem>

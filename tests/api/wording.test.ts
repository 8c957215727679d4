import { expect, test } from 'vitest'
import { z } from 'zod'
import { wordsOf } from '../../src/api/wording.ts'

const said = (schema: z.ZodType, value: unknown): string[] =>
  (schema.safeParse(value).error?.issues ?? []).map((issue) => wordsOf({ ...issue }))

test.for<[z.ZodType, unknown, string]>([
  [z.string().min(1), '', 'is empty'],
  [z.string().min(2), 'a', 'expects at least 2 characters'],
  [z.string().max(3), 'abcd', 'expects at most 3 characters'],
  [z.array(z.string()).min(1), [], 'is empty'],
  [z.array(z.string()).max(1), ['a', 'b'], 'expects at most 1 entry'],
  [z.number().min(1), 0, 'expects a number: at least 1'],
  [z.number().max(10), 11, 'expects a number: at most 10'],
  [z.number().positive(), 0, 'expects a number: above 0'],
  [z.number().int(), 1.5, 'expects a whole number'],
  [z.string(), 1, 'expects text'],
  [z.string(), undefined, 'is missing'],
  [z.boolean(), 'yes', 'expects true or false'],
  [z.array(z.string()), 'a', 'expects an array'],
  [z.object({}), 'a', 'expects an object'],
  [z.record(z.string(), z.string()), [], 'expects an object'],
  [z.enum(['lead', 'contact']), 'account', 'expects lead or contact'],
  [z.uuid(), '7', 'expects an id: a UUID'],
  [z.iso.datetime(), 'today', 'expects an instant, as 2026-11-23T10:00:02Z'],
  [z.string().regex(/^a/), 'b', 'expects the form that is described'],
  [z.union([z.string(), z.number()]), true, 'is not of the form that is described'],
  [z.string().refine(() => false, 'says it itself'), 'a', 'says it itself'],
])('R25: what does not fit %# is told in words for people', ([schema, value, expected]) => {
  expect(said(schema, value)).toEqual([expected])
})

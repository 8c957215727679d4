import { z } from 'zod'
import { filterOperators, operatorsOf } from '../domain/filter.ts'

const filter = { $ref: '#/components/schemas/Filter' }
const one = (name: string, schema: object) => ({
  type: 'object',
  properties: { [name]: schema },
  required: [name],
  additionalProperties: false,
})
const many = { type: 'array', items: filter, minItems: 1 }
const value = { type: ['string', 'number', 'boolean'] }

const byType = Object.entries(operatorsOf).map(([type, operators]) => `\`${type}\`: ${operators.join(', ')}`)

/**
 * Described here, read by domain/filter.ts against the list's columns: a filter nests itself, and its errors name the place far
 * better than a union's.
 */
export const Filter = z.unknown().meta({
  id: 'Filter',
  description: `A column is named by \`email\`, \`firstName\`, \`lastName\`, its id, key, CRM field or name.
Text is compared without regard to case; \`between\` includes both ends; \`isNot\` and \`not\` include blanks. Numbers that a double cannot hold are given as text.

Operators by the column's type: ${byType.join('; ')}.`,
  oneOf: [
    one('and', many),
    one('or', many),
    one('not', filter),
    {
      type: 'object',
      properties: {
        column: { type: 'string' },
        operator: { enum: filterOperators },
        value,
        values: { type: 'array', items: value, description: 'for `in`, and two for `between`' },
      },
      required: ['column', 'operator'],
      additionalProperties: false,
    },
  ],
  examples: [
    {
      and: [
        { column: 'Address/City', operator: 'is', value: 'Springfield' },
        { not: { column: 'email', operator: 'isBlank' } },
      ],
    },
  ],
})

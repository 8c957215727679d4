import { z } from 'zod'
import { filterOperators, operatorsOf, properties, propertyNames, type Property } from '../domain/filter.ts'

const filter = { $ref: '#/components/schemas/Filter' }
const one = (name: string, schema: object) => ({
  type: 'object',
  properties: { [name]: schema },
  required: [name],
  additionalProperties: false,
})
const many = { type: 'array', items: filter, minItems: 1 }
const value = { type: ['string', 'number', 'boolean'] }

const test = (named: 'column' | 'property', schema: object) => ({
  type: 'object',
  properties: {
    [named]: schema,
    operator: { enum: filterOperators },
    value,
    values: { type: 'array', items: value, description: 'for `in` and `notIn`, and two for `between`' },
  },
  required: [named, 'operator'],
  additionalProperties: false,
})

const byType = Object.entries(operatorsOf).map(([type, operators]) => `- \`${type}\`: ${operators.join(', ')}`)

const byProperty = propertyNames.map((name) => {
  const { type, operators, choices }: Property = properties[name]
  const kind = choices === undefined ? type : choices.map((choice) => `\`${choice}\``).join(', ')
  return `- \`${name}\` (${kind}): ${operators.join(', ')}`
})

/**
 * Described here, read by domain/filter.ts against the list's columns: a filter nests itself, and its errors name the place far
 * better than a union's.
 */
export const Filter = z.unknown().meta({
  id: 'Filter',
  description: `A column is named by \`email\`, \`firstName\`, \`lastName\`, its id, key, CRM field or name. A \`property\` is what a record has besides its columns.
Text is compared without regard to case; \`between\` includes both ends. \`isNot\`, \`notContains\`, \`notIn\` and \`not\` include blanks: what is not there is not that value either. Every other operator but \`isBlank\` leaves blanks out. Numbers that a double cannot hold are given as text.

\`before\` is strictly earlier, \`after\` strictly later. \`withinLastDays\`, \`withinNextDays\`, \`moreThanDaysAgo\`, \`moreThanDaysAhead\` and \`anniversaryWithinNextDays\` take a whole number of days as \`value\`, up to 36,500 (366 for anniversaries). For a \`date\` column these are days of the account’s time zone, today being the first: \`withinLastDays\` 1 is today, 7 is today and the six days before. For instants it is N × 24 hours from now. \`moreThanDaysAgo\` is what lies before \`withinLastDays\`. An anniversary of 29 February falls on the 28th where the year has no 29th.

Operators by the column's type:

${byType.join('\n')}

Properties and their operators:

${byProperty.join('\n')}

\`crmState\` and \`crmEntity\` are about the person in the CRM, \`suppressed\` is an active suppression of the address, \`pending\` says that something was changed here and has not reached the CRM, \`updatedAt\` is \`createdAt\` where nothing was changed since.`,
  oneOf: [
    one('and', many),
    one('or', many),
    one('not', filter),
    test('column', { type: 'string' }),
    test('property', { enum: propertyNames }),
  ],
  examples: [
    {
      and: [
        { column: 'Address/City', operator: 'is', value: 'Springfield' },
        { not: { column: 'email', operator: 'isBlank' } },
        { property: 'crmState', operator: 'isNot', value: 'deletedInCrm' },
      ],
    },
  ],
})

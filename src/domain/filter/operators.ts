import type { FieldType } from '../crm.ts'

const blank = ['isBlank', 'isNotBlank'] as const
const equal = ['is', 'isNot'] as const
const among = ['in', 'notIn'] as const
const searched = ['contains', 'notContains', 'beginsWith', 'endsWith'] as const
const sized = ['greater', 'greaterOrEqual', 'less', 'lessOrEqual', 'between'] as const
/** `before` is `less` and `after` is `greater` as people say them of time; the others take a whole number of days. */
const timed = ['before', 'after', 'withinLastDays', 'withinNextDays', 'moreThanDaysAgo', 'moreThanDaysAhead'] as const

const truth = [...equal, ...blank] as const
const textual = [...equal, ...blank, ...among, ...searched] as const
const numeric = [...equal, ...blank, ...among, ...sized] as const
const moment = [...numeric, ...timed] as const
/** Only a day has an anniversary: that of an instant would depend on a time zone. */
const day = [...moment, 'anniversaryWithinNextDays'] as const

export const filterOperators = [...new Set([...textual, ...day])]
export type FilterOperator = (typeof filterOperators)[number]

export const operatorsOf: Record<FieldType, readonly FilterOperator[]> = {
  text: textual,
  email: textual,
  phone: textual,
  picklist: textual,
  number: numeric,
  date: day,
  instant: moment,
  boolean: truth,
}

/** An operator that says the contrary of another one includes blanks: what is not there is not that value either. */
export const contraries: Partial<Record<FilterOperator, FilterOperator>> = {
  isNot: 'is',
  isNotBlank: 'isBlank',
  notContains: 'contains',
  notIn: 'in',
}

const withoutBlanks = (operators: readonly FilterOperator[]): FilterOperator[] =>
  operators.filter((operator) => operator !== 'isBlank' && operator !== 'isNotBlank')

export type Property = {
  type: FieldType
  operators: readonly FilterOperator[]
  /** the only values that there are, in this case */
  choices?: readonly string[]
}

/** What a filter can ask of a record besides its columns. */
export const properties = {
  crmState: {
    type: 'picklist',
    operators: [...equal, ...among],
    choices: ['unlinked', 'linked', 'deletedInCrm', 'converted', 'merged'],
  },
  crmEntity: { type: 'picklist', operators: [...equal, ...blank, ...among], choices: ['lead', 'contact'] },
  suppressed: { type: 'boolean', operators: equal },
  pending: { type: 'boolean', operators: equal },
  createdAt: { type: 'instant', operators: withoutBlanks(moment) },
  updatedAt: { type: 'instant', operators: withoutBlanks(moment) },
  externalId: { type: 'text', operators: textual },
} as const satisfies Record<string, Property>

export type PropertyName = keyof typeof properties
export const propertyNames = Object.keys(properties) as PropertyName[]

import type { CrmValue } from './crm.ts'

/** R10 for values that arrived untyped; null and absent are not true. */
export const truthy = (value: CrmValue | undefined): boolean =>
  value === true || value === 1 || (typeof value === 'string' && /^(true|t|1|y)$/i.test(value.trim()))

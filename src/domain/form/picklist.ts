import type { FormChoice } from './definition.ts'

/** `lead.Industry` → the items of its picklist. */
export type Picklists = Readonly<Record<string, readonly FormChoice[]>>

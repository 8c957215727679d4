import { combinations } from '../sync/cases.ts'
import { proveTable } from '../sync/table.ts'

proveTable(combinations)

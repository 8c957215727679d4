import { half } from './cases.ts'
import { proveTable } from './table.ts'

proveTable(half)

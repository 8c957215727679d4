export { pageColumns, type MappedColumn } from './standardField/columns.ts'
export { get, type Stored } from './standardField/read.ts'
export { save } from './standardField/save.ts'

export {
  columnsIn,
  columnIndex,
  type Condition,
  type Filter,
  type FilterColumn,
  type PropertyCondition,
} from './filter/filter.ts'
export {
  contraries,
  filterOperators,
  operatorsOf,
  properties,
  propertyNames,
  type FilterOperator,
  type Property,
  type PropertyName,
} from './filter/operators.ts'
export { readFilter } from './filter/read.ts'
export { namedColumns, showFilter, type FilterProblem } from './filter/show.ts'
export { anniversariesOf, windowOf, type Clock } from './filter/window.ts'

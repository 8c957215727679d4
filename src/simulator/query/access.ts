import type { Kind, Property, Ref, Row, Value } from '../model.ts'
import { findRow } from '../store.ts'
import type { Expression } from '../where/parser.ts'
import { kindNamed, type World } from '../world.ts'
import { makeIndex, type Index } from './indexes.ts'
import { propertyNamed, readerOf, related, relationNamed } from './scope.ts'
import { isId, textOf } from './split.ts'

const indexable = (property: Property): boolean => property.derive === null && property.type !== 'boolean'

const indexOf = (world: World, kind: Kind, path: string[]): Index | undefined => {
  const name = path.join('.').toLowerCase()
  const old = kind.indexes.get(name)
  if (old !== undefined) return old
  const [head = '', second] = path
  const relation = relationNamed(kind, head)
  let index: Index | undefined
  if (path.length === 1 || (path.length === 2 && second?.toLowerCase() === 'id')) {
    const property = path.length === 1 ? propertyNamed(world, kind, head) : relation?.key
    if (property && indexable(property)) index = makeIndex(kind, property, readerOf(property))
  } else if (relation?.name === 'Address' && path.length === 2 && kind.name !== 'accounts') {
    const target = kindNamed(world, relation.target)
    const property = propertyNamed(world, target, String(second))
    const read = property && readerOf(property)
    if (property && read && indexable(property)) {
      const reader = (row: Row): Value => {
        const found = related(world, relation, row)
        return found === undefined ? null : read(found)
      }
      const changed = [...target.store.changed.keys()].filter((n) => n < kind.store.size)
      index = makeIndex(kind, property, reader, changed)
    }
  }
  if (index !== undefined) kind.indexes.set(name, index)
  return index
}

/** The path below `upper(trim(…))`: the index ignores case and blanks anyway. */
const pathOf = (node: Expression): string[] | undefined => {
  if (node.is === 'path') return node.path
  const [inner] = node.is === 'call' && ['upper', 'lower', 'trim'].includes(node.name) ? node.items : []
  return inner && pathOf(inner)
}

type Interval = [low: Value, high: Value]
/** `open`: intervals of instants, in which null is no bound. */
type Wanted = { path: string[]; intervals: Interval[]; open?: true }

const instantOf = (node: Expression): number | undefined =>
  node.is === 'literal' && node.instant === true ? (node.value as number) : undefined

const comparisonOf = ({ by, left, right }: Expression & { is: 'compare' }): Wanted | undefined => {
  const path = pathOf(left)
  if (path === undefined || right.is !== 'literal') return undefined
  const { value } = right
  const instant = instantOf(right)
  if (by === 'eq' && (typeof value === 'string' || value === null || instant !== undefined))
    return { path, intervals: [[value, value]] }
  if (instant === undefined || by === 'eq' || by === 'ne') return undefined
  return { path, intervals: [by.startsWith('g') ? [instant, null] : [null, instant]], open: true }
}

const wantedBy = (node: Expression): Wanted | undefined => {
  if (node.is === 'compare') return comparisonOf(node)
  if (node.is === 'between') {
    const [path, low, high] = [pathOf(node.value), instantOf(node.low), instantOf(node.high)]
    return path && low !== undefined && high !== undefined ? { path, intervals: [[low, high]], open: true } : undefined
  }
  if (node.is !== 'in') return undefined
  const [path, texts] = [pathOf(node.value), node.items.map(textOf)]
  if (path === undefined || texts.includes(undefined)) return undefined
  return { path, intervals: (texts as string[]).map((text) => [text, text]) }
}

const meet = ([a, b]: Interval, [c, d]: Interval): Interval => [
  a === null || c === null ? (a ?? c) : Math.max(a as number, c as number),
  b === null || d === null ? (b ?? d) : Math.min(b as number, d as number),
]

/** `ge` and `lt` of one property are one interval: each alone may hold half of all rows. */
const joinIntervals = (wanted: Wanted[]): Wanted[] => {
  const joined: Wanted[] = []
  for (const item of wanted) {
    const name = item.path.join('.').toLowerCase()
    const old = joined.find(({ open, path }) => open && item.open && path.join('.').toLowerCase() === name)
    if (old === undefined) joined.push({ ...item })
    else old.intervals = [meet(old.intervals[0] as Interval, item.intervals[0] as Interval)]
  }
  return joined
}

const lookUp = (world: World, kind: Kind, { path, intervals }: Wanted): Ref[] | undefined => {
  if (isId({ is: 'path', path })) return intervals.flatMap(([key]) => findRow(kind, String(key))?.ref ?? [])
  const index = indexOf(world, kind, path)
  const lists = index && intervals.map(([low, high]) => index.between(low, high))
  return lists === undefined || lists.includes(undefined) ? undefined : [...new Set((lists as Ref[][]).flat())]
}

const partsOf = (node: Expression): Expression[] =>
  node.is === 'and' ? [...partsOf(node.left), ...partsOf(node.right)] : [node]

/** Rows that may fulfil all conditions, or undefined where only a scan can tell. */
export const candidates = (world: World, kind: Kind, conditions: Expression[]): Ref[] | undefined => {
  const parts = conditions.flatMap(partsOf)
  const lists = joinIntervals(parts.flatMap((part) => wantedBy(part) ?? [])).map((item) => lookUp(world, kind, item))
  for (const part of parts) {
    if (part.is !== 'or') continue
    const [left, right] = [candidates(world, kind, [part.left]), candidates(world, kind, [part.right])]
    lists.push(left && right && [...new Set([...left, ...right])])
  }
  return lists.reduce((a, b) => (a && b ? (a.length < b.length ? a : b) : (a ?? b)), undefined)
}

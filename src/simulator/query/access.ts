import type { Kind, Property, Ref, Row, Value } from '../model.ts'
import type { Range } from '../range.ts'
import type { Expression } from '../where/parser.ts'
import { kindNamed, type World } from '../world.ts'
import { makeIndex, type Index } from './indexes.ts'
import { propertyNamed, readerOf, related, relationNamed } from './scope.ts'

type Split = { range: Range; keys: string[] | null; rest: Expression[] }

const isId = (node: Expression): boolean =>
  node.is === 'path' && node.path.length === 1 && node.path[0]?.toLowerCase() === 'id'
const textOf = (node: Expression): string | undefined =>
  node.is === 'literal' && typeof node.value === 'string' ? node.value : undefined

/** Takes the bounds on the id out of a condition, so that pages by key need no scan. */
export const splitById = (where: Expression | undefined): Split => {
  const split: Split = { range: {}, keys: null, rest: [] }
  const tighten = (side: 'low' | 'high', id: string, strict: boolean): void => {
    const old = split.range[side]
    const sign = side === 'low' ? 1 : -1
    const order =
      old === undefined
        ? 1
        : id.toUpperCase() === old.id.toUpperCase()
          ? 0
          : id.toUpperCase() > old.id.toUpperCase()
            ? sign
            : -sign
    if (order > 0 || (order === 0 && strict)) split.range[side] = { id, strict }
  }
  const visit = (node: Expression): void => {
    if (node.is === 'and') {
      visit(node.left)
      visit(node.right)
      return
    }
    const text = node.is === 'compare' && isId(node.left) ? textOf(node.right) : undefined
    if (node.is === 'compare' && text !== undefined && node.by !== 'ne' && node.by !== 'eq') {
      tighten(node.by.startsWith('g') ? 'low' : 'high', text, node.by.endsWith('t'))
      return
    }
    split.rest.push(node)
    if (text !== undefined && node.is === 'compare' && node.by === 'eq') split.keys = [text]
    if (node.is === 'in' && isId(node.value)) {
      const texts = node.items.map(textOf)
      if (!texts.includes(undefined)) split.keys = texts as string[]
    }
  }
  if (where !== undefined) visit(where)
  return split
}

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
    if (property && indexable(property)) index = makeIndex(kind, property.make, readerOf(property))
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
      index = makeIndex(kind, property.make, reader, changed)
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

const intervalsOf = (node: Expression): { path: string[]; intervals: Interval[] } | undefined => {
  if (node.is === 'compare' && node.right.is === 'literal') {
    const path = pathOf(node.left)
    const { value } = node.right
    const instant = node.right.instant === true
    if (path === undefined || (typeof value !== 'string' && value !== null && !instant)) return undefined
    if (node.by === 'eq') return { path, intervals: [[value, value]] }
    if (!instant || node.by === 'ne') return undefined
    return { path, intervals: [node.by.startsWith('g') ? [value, null] : [null, value]] }
  }
  if (node.is === 'in') {
    const path = pathOf(node.value)
    const texts = node.items.map(textOf)
    if (path && !texts.includes(undefined))
      return { path, intervals: texts.map((text) => [text as string, text as string]) }
  }
  return undefined
}

/** Rows that may fulfil the condition, or undefined where only a scan can tell. */
export const candidates = (world: World, kind: Kind, node: Expression): Ref[] | undefined => {
  if (node.is === 'and' || node.is === 'or') {
    const left = candidates(world, kind, node.left)
    const right = candidates(world, kind, node.right)
    if (node.is === 'or') return left && right && [...new Set([...left, ...right])]
    return left && right ? (left.length < right.length ? left : right) : (left ?? right)
  }
  const found = intervalsOf(node)
  const index = found && indexOf(world, kind, found.path)
  if (found === undefined || index === undefined) return undefined
  const lists = found.intervals.map(([low, high]) => index.between(low, high))
  return lists.includes(undefined) ? undefined : [...new Set((lists as Ref[][]).flat())]
}

import type { Range } from '../range.ts'
import type { Expression } from '../where/parser.ts'

type Split = { range: Range; keys: string[] | null; rest: Expression[] }

export const isId = (node: Expression): boolean =>
  node.is === 'path' && node.path.length === 1 && node.path[0]?.toLowerCase() === 'id'
export const textOf = (node: Expression): string | undefined =>
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

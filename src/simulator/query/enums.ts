import type { Kind, Value } from '../model.ts'
import type { Expression } from '../where/parser.ts'

const enumOf = (kind: Kind, node: Expression): Record<string, number> | null =>
  node.is === 'path' && node.path.length === 1
    ? (kind.byName.get(String(node.path[0]).toLowerCase())?.enum ?? null)
    : null

const numberOf = (names: Record<string, number>, value: Value): Value => {
  if (typeof value !== 'string') return value
  const name = Object.keys(names).find((candidate) => candidate.toLowerCase() === value.trim().toLowerCase())
  return name === undefined ? (/^\d+$/.test(value) ? Number(value) : -1) : (names[name] as number)
}

const asNumber = (names: Record<string, number>, node: Expression): Expression =>
  node.is === 'literal' ? { is: 'literal', value: numberOf(names, node.value) } : node

/** Enums are asked for by name (`Type eq 'atNote'`) and kept as numbers. */
export const resolveEnums = (kind: Kind, node: Expression): Expression => {
  switch (node.is) {
    case 'and':
    case 'or':
      return { ...node, left: resolveEnums(kind, node.left), right: resolveEnums(kind, node.right) }
    case 'not':
      return { ...node, value: resolveEnums(kind, node.value) }
    case 'compare': {
      const names = enumOf(kind, node.left)
      return names === null ? node : { ...node, right: asNumber(names, node.right) }
    }
    case 'in': {
      const names = enumOf(kind, node.value)
      return names === null ? node : { ...node, items: node.items.map((item) => asNumber(names, item)) }
    }
    default:
      return node
  }
}

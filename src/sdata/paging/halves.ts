export const halves = <Item>(items: Item[]): [Item[], Item[]] => [
  items.slice(0, items.length >> 1),
  items.slice(items.length >> 1),
]

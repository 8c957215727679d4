/** Spreads two 32-bit integers over 32 bits. The same input gives the same people on every machine. */
export const mix = (salt: number, n: number): number => {
  let h = Math.imul(n ^ (n >>> 16), 0x45d9f3b) ^ salt
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

export const hashText = (text: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}

export type Dice = (n: number) => number

export const dice = (seed: number, name: string): Dice => {
  const salt = mix(seed | 0, hashText(name))
  return (n) => mix(salt, n)
}

export const pick = <Item>(list: readonly Item[], roll: number): Item => list[roll % list.length] as Item

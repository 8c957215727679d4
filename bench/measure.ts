export const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const percentile = (values: number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.ceil(values.length * share) - 1)] ?? Number.NaN

/** Runs contestants in turn, `repeats` times, each round in another order: a noisy neighbour meets all of them alike. */
export const interleave = async <Name extends string, Result>(
  contestants: Record<Name, () => Promise<Result>>,
  repeats: number,
): Promise<Record<Name, Result[]>> => {
  const names = Object.keys(contestants) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, [] as Result[]])) as Record<Name, Result[]>
  for (let round = 0; round < repeats; round += 1) {
    const shift = round % names.length
    for (const name of [...names.slice(shift), ...names.slice(0, shift)]) results[name].push(await contestants[name]())
  }
  return results
}

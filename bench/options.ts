import { parseArgs } from 'node:util'

export const benchmarks = ['import', 'million', 'api', 'sync', 'forms', 'notes'] as const
export type BenchmarkName = (typeof benchmarks)[number]

export type Options = {
  only: readonly BenchmarkName[]
  /** people of the import benchmark */
  leads: number
  /** people of the large import; the small one beside it has a tenth */
  large: number
  latencies: number[]
  pages: number[]
  repeats: number
  /** everything small */
  quick: boolean
  /** writes the table there */
  markdown?: string
  /** V8 profiles of the worker and of the plain loop's process go there */
  profile?: string
}

const usage = `npm run bench -- [--only import,million,api,sync,forms,notes] [--leads 200000] [--large 1000000] [--latency 0,100]
  [--pages 1000,200] [--repeats 3] [--quick] [--markdown FILE] [--profile FOLDER]`

const text = { type: 'string' } as const

const whole = (name: string, value: string): number => {
  if (!/^\d+$/.test(value)) throw new Error(`--${name}: expected whole numbers, not '${value}'.\n${usage}`)
  return Number(value)
}

const isBenchmark = (name: string): name is BenchmarkName => (benchmarks as readonly string[]).includes(name)

/** Command line → options. `--quick` makes everything small: it proves that the benchmarks work, not how fast anything is. */
export const readOptions = (args: string[]): Options => {
  const { values } = parseArgs({
    args,
    options: {
      only: text,
      leads: text,
      large: text,
      latency: text,
      pages: text,
      repeats: text,
      markdown: text,
      profile: text,
      quick: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) throw new Error(usage)
  const only = (values.only ?? benchmarks.join()).split(',')
  const unknown = only.find((name) => !isBenchmark(name))
  if (unknown !== undefined) throw new Error(`--only: there is no benchmark '${unknown}'.\n${usage}`)
  const quick = values.quick === true
  const one = (name: 'leads' | 'large' | 'repeats', fallback: number): number =>
    values[name] === undefined ? fallback : whole(name, values[name])
  const many = (name: 'latency' | 'pages', fallback: string): number[] =>
    (values[name] ?? fallback).split(',').map((part) => whole(name, part))
  return {
    only: only.filter(isBenchmark),
    leads: one('leads', quick ? 20_000 : 200_000),
    large: one('large', quick ? 20_000 : 1_000_000),
    latencies: many('latency', '0,100'),
    pages: many('pages', quick ? '1000' : '1000,200'),
    repeats: one('repeats', quick ? 1 : 3),
    quick,
    ...(values.markdown === undefined ? {} : { markdown: values.markdown }),
    ...(values.profile === undefined ? {} : { profile: values.profile }),
  }
}

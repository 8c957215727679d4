import { isGreen, type Counts, type Run } from './run.ts'
import { table } from './say.ts'

const number = new Intl.NumberFormat('en')
const shown = (value: number | null | undefined) => (value === null || value === undefined ? '–' : number.format(value))
const counted: (keyof Counts)[] = ['read', 'created', 'updated', 'unchanged', 'skipped', 'rejected']

const explained = ({ balance }: Run) =>
  Object.entries(balance.explained)
    .filter(([, count]) => count !== 0)
    .map(([reason, count]) => `${reason} ${number.format(count)}`)
    .join(', ') || '0'

/** The ledgers of runs beside each other. */
export const ledgers = (runs: Run[]): string => {
  const row = (label: string, of: (run: Run) => string) => [label, ...runs.map(of)]
  return table([
    row('', ({ list }) => list?.name ?? '–'),
    row('state', ({ state }) => state),
    ...counted.map((name) => row(name, ({ counts }) => shown(counts['pull']?.[name]))),
    row('in the CRM', ({ balance }) => shown(balance.crmTotal)),
    row('on the list', ({ balance }) => shown(balance.listTotal)),
    row('explained', explained),
    row('difference', ({ balance }) => shown(balance.difference)),
    row('balanced', (run) => (isGreen(run) ? 'yes' : 'no')),
  ])
}

/** Why runs are not green, one sentence each. */
export const complaints = (runs: Run[]): string[] =>
  runs
    .filter((run) => !isGreen(run))
    .map(({ id, list, state, error }) => {
      const why = error ? ` ${error.detail} ${error.remedy}` : ` GET /v1/runs/${id} says more.`
      return `The import of "${list?.name ?? id}" ended as ${state}.${why}`
    })

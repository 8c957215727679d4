import * as fc from 'fast-check'
import type { AmbiguousMatch, ConflictRule } from '../../src/domain/account.ts'
import type { CrmEntity, CrmValue } from '../../src/domain/crm.ts'
import { blankable, fieldNames, mailNumbers, required, valueOf, type FieldName, type Mail } from './randomFields.ts'

/** Who is meant: the n-th of those who are there, counted round. */
type Nth = number
export type Values = Partial<Record<FieldName, CrmValue>>

export type Action =
  | { do: 'crmEdit'; entity: CrmEntity; who: Nth; values: Values }
  | { do: 'crmMail'; entity: CrmEntity; who: Nth; mail: Mail }
  | { do: 'crmAdd'; entity: CrmEntity; mail: Mail; values: Values }
  | { do: 'crmRemove'; entity: CrmEntity; who: Nth }
  | { do: 'crmConvert'; who: Nth; into: Nth | null }
  | { do: 'crmMerge'; entity: CrmEntity; who: Nth; loser: Nth }
  | { do: 'crmDate'; entity: CrmEntity; who: Nth; at: 'null' | '2099' }
  | { do: 'crmClock'; minutes: number }
  | { do: 'create'; list: Nth; mail: Mail; values: Values; lacking: 'LastName' | 'Company' | null }
  | { do: 'edit'; list: Nth; who: Nth; values: Values }
  | { do: 'mail'; list: Nth; who: Nth; mail: Mail }
  | { do: 'remove'; list: Nth; who: Nth }
  | { do: 'restore'; list: Nth; who: Nth }
  | { do: 'settings'; list: Nth; settings: Settings }
  | { do: 'account'; conflict: ConflictRule; ambiguousMatch: AmbiguousMatch }

export type Settings = {
  push: { enabled: boolean; addNew: boolean; updateExisting: boolean; fields: FieldName[]; clearFields: FieldName[] }
  pull: { enabled: boolean; addNew: boolean; updateExisting: boolean; excludedFields: FieldName[] }
  defaultCompany: boolean
}

/** A fault of faults.ts that goes by; `poison` names people by their place. */
export type Trouble =
  | { kind: 'errorArray'; status: number; on: On; times: number; after: number }
  | { kind: 'drop'; on: On; times: number; after: number }
  | { kind: 'dropAfterWrite' | 'hangAfterWrite'; times: number; after: number }
  | { kind: 'hang'; on: On; after: number }
  | { kind: 'lateWrite'; answer: 'hang' | 'drop'; ms: number; after: number }
  | { kind: 'tooMany' | 'unavailable'; retryAfter: number | null; times: number; after: number }
  | { kind: 'shortPages'; rows: number; times: number }
  | { kind: 'truncate'; times: number; after: number }
  | { kind: 'poison'; entity: CrmEntity; who: Nth }
type On = 'GET' | 'POST' | 'PUT' | null

export type Step = {
  before: Action[]
  troubles: Trouble[]
  run: 'sync' | 'one' | 'sweep' | 'verify'
  /** while the runs work; the pause before each in milliseconds */
  during: { pause: number; action: Action }[]
}

export type Case = {
  lists: CrmEntity[]
  people: { entity: CrmEntity; mail: Mail; values: Values }[]
  crm: { latencyMs: number; rewrites: boolean; overlongText: 'error' | 'cut' }
  first: Action[]
  steps: Step[]
  last: Action[]
}

const entity = fc.constantFrom<CrmEntity>('lead', 'lead', 'contact')
const nth = fc.nat(11)
const mail: fc.Arbitrary<Mail> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ number: fc.nat(mailNumbers - 1), form: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant(null) },
)
const names = (of: readonly FieldName[], least: number, most: number) =>
  fc.uniqueArray(fc.constantFrom(...of), { minLength: least, maxLength: most })
const values = (side: 'here' | 'crm', least = 1): fc.Arbitrary<Values> =>
  names(fieldNames, least, 4).chain((chosen) =>
    fc.record(Object.fromEntries(chosen.map((name) => [name, valueOf(name, side)]))),
  )

const settings: fc.Arbitrary<Settings> = fc
  .record({
    pushing: fc.constantFrom('all', 'all', 'some', 'some', 'none'),
    addNew: fc.constantFrom(true, true, true, false),
    updateExisting: fc.constantFrom(true, true, true, false),
    fields: names(fieldNames, 0, 6),
    clears: fc.boolean(),
    pulling: fc.constantFrom('all', 'all', 'all', 'some', 'none'),
    pullNew: fc.constantFrom(true, true, true, false),
    pullUpdate: fc.constantFrom(true, true, true, false),
    excludedFields: names(fieldNames, 0, 3),
    defaultCompany: fc.boolean(),
  })
  .map((drawn) => {
    const fields = drawn.pushing === 'all' ? [...fieldNames] : drawn.fields
    return {
      push: {
        enabled: drawn.pushing !== 'none',
        addNew: drawn.addNew,
        updateExisting: drawn.updateExisting,
        fields,
        clearFields: drawn.clears ? fields.filter((name) => blankable(name)) : [],
      },
      pull: {
        enabled: drawn.pulling !== 'none',
        addNew: drawn.pulling === 'all' || drawn.pullNew,
        updateExisting: drawn.pulling === 'all' || drawn.pullUpdate,
        excludedFields: drawn.pulling === 'some' ? drawn.excludedFields : [],
      },
      defaultCompany: drawn.defaultCompany,
    }
  })

const setSettings = fc.record({ do: fc.constant('settings' as const), list: nth, settings })
const setAccount = fc.record({
  do: fc.constant('account' as const),
  conflict: fc.constantFrom<ConflictRule>('crmWins', 'latestWins'),
  ambiguousMatch: fc.constantFrom<AmbiguousMatch>('best', 'best', 'all', 'hold'),
})

const action = (...kinds: [number, fc.Arbitrary<Action>][]): fc.Arbitrary<Action> =>
  fc.oneof(...kinds.map(([weight, arbitrary]) => ({ weight, arbitrary })))
const as = <Do extends Action['do']>(kind: Do) => fc.constant(kind)

/** People and records change on both sides. */
const work: [number, fc.Arbitrary<Action>][] = [
  [8, fc.record({ do: as('crmEdit'), entity, who: nth, values: values('crm') })],
  [2, fc.record({ do: as('crmMail'), entity, who: nth, mail })],
  [3, fc.record({ do: as('crmAdd'), entity, mail, values: values('crm', 0) })],
  [2, fc.record({ do: as('crmRemove'), entity, who: nth })],
  [2, fc.record({ do: as('crmConvert'), who: nth, into: fc.oneof(fc.constant(null), nth) })],
  [1, fc.record({ do: as('crmMerge'), entity, who: nth, loser: nth })],
  [7, fc.record({ do: as('edit'), list: nth, who: nth, values: values('here') })],
  [2, fc.record({ do: as('mail'), list: nth, who: nth, mail })],
  [
    4,
    fc.record({
      do: as('create'),
      list: nth,
      mail,
      values: values('here', 0),
      lacking: fc.constantFrom('LastName' as const, 'Company' as const, ...Array<null>(10).fill(null)),
    }),
  ],
  [2, fc.record({ do: as('remove'), list: nth, who: nth })],
  [1, fc.record({ do: as('restore'), list: nth, who: nth })],
]
const between = action(
  ...work,
  [1, fc.record({ do: as('crmDate'), entity, who: nth, at: fc.constantFrom('null' as const, '2099' as const) })],
  [2, fc.record({ do: as('crmClock'), minutes: fc.constantFrom(1, 20, 60) })],
  [2, setSettings],
  [1, setAccount],
)

const on = fc.constantFrom<On>('GET', 'POST', 'PUT', null)
const few = fc.integer({ min: 1, max: 3 })
const after = fc.nat(8)
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  fc.record({
    kind: fc.constant('errorArray' as const),
    status: fc.constantFrom(500, 502, 503),
    on,
    times: few,
    after,
  }),
  fc.record({ kind: fc.constant('drop' as const), on, times: few, after }),
  fc.record({
    kind: fc.constantFrom('dropAfterWrite' as const, 'hangAfterWrite' as const),
    times: few,
    after: fc.nat(2),
  }),
  fc.record({ kind: fc.constant('hang' as const), on, after }),
  fc.record({
    kind: fc.constant('lateWrite' as const),
    answer: fc.constantFrom('hang' as const, 'drop' as const),
    ms: fc.constantFrom(300, 1300, 1900),
    after: fc.nat(2),
  }),
  fc.record({
    kind: fc.constantFrom('tooMany' as const, 'unavailable' as const),
    retryAfter: fc.constantFrom(null, 1),
    times: few,
    after,
  }),
  fc.record({ kind: fc.constant('shortPages' as const), rows: few, times: fc.constant(20) }),
  fc.record({ kind: fc.constant('truncate' as const), times: fc.constant(1), after }),
  fc.record({ kind: fc.constant('poison' as const), entity, who: nth }),
)

const step: fc.Arbitrary<Step> = fc.record({
  before: fc.array(between, { minLength: 1, maxLength: 6 }),
  troubles: fc.oneof(
    { weight: 3, arbitrary: fc.constant<Trouble[]>([]) },
    { weight: 2, arbitrary: fc.array(trouble, { minLength: 1, maxLength: 2 }) },
  ),
  run: fc.constantFrom(
    'sync' as const,
    'sync' as const,
    'sync' as const,
    'one' as const,
    'sweep' as const,
    'verify' as const,
  ),
  during: fc.oneof(
    { weight: 3, arbitrary: fc.constant<Step['during']>([]) },
    {
      weight: 2,
      arbitrary: fc.array(fc.record({ pause: fc.nat(200), action: action(...work) }), { minLength: 1, maxLength: 4 }),
    },
  ),
})

const lists = fc.constantFrom<CrmEntity[]>(
  ['lead'],
  ['contact'],
  ['lead', 'contact'],
  ['lead', 'lead'],
  ['contact', 'lead'],
)

/** A life of one or two lists: up to so many steps, each a few changes and a run. */
export const cases = (mostSteps: number): fc.Arbitrary<Case> =>
  fc.record({
    lists,
    people: fc.array(fc.record({ entity, mail, values: values('crm', 0) }), { minLength: 2, maxLength: 8 }),
    crm: fc.record({
      latencyMs: fc.constantFrom(0, 0, 5, 15),
      rewrites: fc.constantFrom(false, false, true),
      overlongText: fc.constantFrom('error' as const, 'cut' as const),
    }),
    first: fc
      .tuple(setSettings, setSettings, setAccount)
      .map(([one, two, account]) => [{ ...one, list: 0 }, { ...two, list: 1 }, account]),
    steps: fc.array(step, { minLength: 1, maxLength: mostSteps }),
    last: fc.array(setSettings, { maxLength: 1 }),
  })

export const isRequired = (name: string): boolean => required.includes(name as FieldName)

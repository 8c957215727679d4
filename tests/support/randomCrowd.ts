import * as fc from 'fast-check'
import { cases, type Action, type Case, type Settings } from './randomPlan.ts'
import type { Mail } from './randomFields.ts'

/** So many places and addresses has each of the cases that make a crowd. */
const places = 12
const addresses = 7

const mailOf = (mail: Mail, at: number): Mail => mail && { ...mail, number: mail.number + addresses * at }

/** What one case does, among the people of the n-th of many. */
const moved = (action: Action, at: number): Action => {
  const place = (nth: number): number => nth + places * at
  return {
    ...action,
    ...('who' in action && { who: place(action.who) }),
    ...('loser' in action && { loser: place(action.loser) }),
    ...('into' in action && { into: action.into === null ? null : place(action.into) }),
    ...('mail' in action && { mail: mailOf(action.mail, at) }),
  } as Action
}

const everything = (fields: Settings['push']['fields']): Settings => ({
  push: { enabled: true, addNew: true, updateExisting: true, fields, clearFields: [] },
  pull: { enabled: true, addNew: true, updateExisting: true, excludedFields: [] },
  defaultCompany: true,
})
const kept = new Set<Action['do']>(['settings', 'account', 'crmClock', 'crmDate'])

/** One case with the people and the deeds of many, on a list of leads and one of contacts: syncs that are disturbed by nothing have much to do. */
export const crowd = ({ of, steps, seed }: { of: number; steps: number; seed: number }): Case => {
  const parts = fc.sample(cases(steps), { numRuns: of, seed })
  const fields = [...new Set(parts.flatMap(({ people }) => people.flatMap(({ values }) => Object.keys(values))))]
  const settings = everything(fields as Settings['push']['fields'])
  const { conflict, ambiguousMatch } = parts[0]!.first.find(({ do: what }) => what === 'account') as Extract<
    Action,
    { do: 'account' }
  >
  const before = (step: number): Action[] =>
    parts.flatMap((part, at) =>
      (part.steps[step % part.steps.length]?.before ?? [])
        .filter(({ do: what }) => !kept.has(what))
        .map((action) => moved(action, at)),
    )
  return {
    lists: ['lead', 'contact'],
    people: parts.flatMap(({ people }, at) => people.map((person) => ({ ...person, mail: mailOf(person.mail, at) }))),
    crm: { latencyMs: 0, rewrites: true, overlongText: 'cut' },
    first: [
      { do: 'settings', list: 0, settings },
      { do: 'settings', list: 1, settings },
      { do: 'account', conflict, ambiguousMatch },
    ],
    steps: Array.from({ length: steps }, (_, step) => ({
      before: before(step),
      troubles: [],
      run: 'sync',
      during: [],
    })),
    last: [],
  }
}

import { convert, type ConvertInput } from './control/convert.ts'
import { merge, type MergeInput } from './control/merge.ts'
import * as work from './control/people.ts'
import type { Truth } from './control/truth.ts'
import type { Fault } from './faults.ts'
import type { Desk } from './http/desk.ts'
import type { Gauges, Line } from './journal.ts'
import { makeLogin, type Login, type LoginInput } from './logins.ts'
import type { ScriptInput, Scripts } from './scripts.ts'
import type { Settings } from './settings.ts'
import { changeSettings, hideProperties } from './world.ts'

/**
 * The hand behind the simulated CRM. In the same process these functions, from elsewhere HTTP with JSON under `{url}/_simulator/`:
 *
 * | route | body or query | function |
 * |---|---|---|
 * | GET, POST settings | any of settings.ts | `settings(patch)` → all settings |
 * | GET, POST, DELETE faults | a fault of faults.ts with `times?, after?, match?`; `?id=` clears one | `addFault`, `faults`, `clearFaults` |
 * | GET, POST users, DELETE users?username= | a login of logins.ts; known names are changed | `setUser`, `users`, `removeUser` |
 * | POST edit | `{ entity, id, values }` | `edit` → the person afterwards |
 * | POST add | `{ entity, values?, count? }` | `add` → `{ ids }` |
 * | POST remove | `{ entity, ids }` or `{ entity, random: n }` | `remove` → `{ ids }` |
 * | POST mass-update | `{ entity, values, count? or where? or ids? }` | `massUpdate` → `{ ids, modifyDate }`, one ModifyDate for all |
 * | POST modify-date | `{ entity, ids, at: ISO or null }` | `setModifyDate` → `{ ids }`, nothing else of the rows changed |
 * | POST convert | `{ leadId, contactId?, account?: 'new' or id }` | `convert` → `{ contactId }`, the lead is gone |
 * | POST merge | `{ entity, survivorId, loserIds }` | `merge` → the survivor afterwards, the losers are gone |
 * | GET, POST, DELETE scripts | `{ afterRequests, do: [{ edit \| add \| remove \| massUpdate \| setModifyDate \| convert \| merge \| fault \| settings: … }], repeat?, match? }` | `script`, `scripts`, `clearScripts` |
 * | GET people | `?entity=lead&after=<id>&count=1000&select=Email,Address/City&where=…` | `people` → `{ items, next, total }` |
 * | GET person | `?entity=lead&id=<id>` | `person` → the plain truth or null |
 * | GET notes | `?person=<id>&after=<id>&count=1000` | `notes` → `{ items, next, total }`: e-mails in Notes/History |
 * | GET counts | | `counts` → rows by kind |
 * | GET journal | `?kind=leads&method=PUT` filters | `journal` → the last 2,000 requests |
 * | GET gauges, POST gauges/reset | | `gauges`, `resetGauges` |
 *
 * Entities are `lead`, `contact`, `account`, `address`, `history` … In `values` relations are keys (`Owner: 'F6UJ9A000001'`), `Address` is an object,
 * dates are ISO, and `ModifyDate`, `CreateDate`, `CreateUser` may be set. Wrong input answers 400 `{ error }`.
 */
export type SimulatorControl = {
  settings(patch?: Partial<Settings>): Settings
  addFault(fault: Fault): string
  clearFaults(id?: string): void
  faults(): unknown[]
  setUser(input: LoginInput): Login
  removeUser(username: string): void
  users(): Login[]
  edit(input: work.EditInput): Truth
  add(input: work.AddInput): { ids: string[] }
  remove(input: work.RemoveInput): { ids: string[] }
  massUpdate(input: work.MassInput): { ids: string[]; modifyDate: string }
  setModifyDate(input: work.ModifyDateInput): { ids: string[] }
  convert(input: ConvertInput): { contactId: string }
  merge(input: MergeInput): Truth
  script(input: ScriptInput): string
  clearScripts(): void
  scripts(): unknown[]
  people(input: work.PeopleInput): { items: Truth[]; next: string | null; total: number }
  person(entity: string, id: string): Truth | null
  notes(input?: work.NotesInput): { items: Truth[]; next: string | null; total: number }
  counts(): Record<string, number>
  journal(): Line[]
  gauges(): Gauges
  resetGauges(): void
}

export const makeControl = ({ world, faults, journal, sessions }: Desk, scripts: Scripts): SimulatorControl => {
  const refresh = (): void => {
    hideProperties(world, faults.renames())
  }
  return {
    settings(patch = {}) {
      if (Object.keys(patch).length > 0) changeSettings(world, patch)
      return world.settings
    },
    addFault(fault) {
      const id = faults.add(fault)
      refresh()
      return id
    },
    clearFaults(id) {
      faults.clear(id)
      refresh()
    },
    faults: () => faults.list(),
    setUser(input) {
      const key = input.username.toLowerCase()
      const login = makeLogin({ ...world.logins.get(key), ...input })
      world.logins.set(key, login)
      world.version++
      return login
    },
    removeUser: (username) => void world.logins.delete(username.toLowerCase()),
    users: () => [...world.logins.values()],
    edit: (input) => work.edit(world, input),
    add: (input) => work.add(world, input),
    remove: (input) => work.remove(world, input),
    massUpdate: (input) => work.massUpdate(world, input),
    setModifyDate: (input) => work.setModifyDate(world, input),
    convert: (input) => convert(world, input),
    merge: (input) => merge(world, input),
    script: (input) => scripts.add(input),
    clearScripts: () => scripts.clear(),
    scripts: () => scripts.list(),
    people: (input) => work.people(world, input),
    person: (entity, id) => work.person(world, entity, id),
    notes: (input = {}) => work.notes(world, input),
    counts: () => work.counts(world),
    journal: () => journal.lines(),
    gauges: () => ({ ...journal.gauges, byStatus: { ...journal.gauges.byStatus }, sessions: sessions.count() }),
    resetGauges() {
      sessions.reset()
      journal.reset()
    },
  }
}

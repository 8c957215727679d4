import { matches, type Fault, type Incoming, type Match } from './faults.ts'
import type { Settings } from './settings.ts'
import type { ConvertInput } from './control/convert.ts'
import type { MergeInput } from './control/merge.ts'
import type { AddInput, EditInput, MassInput, ModifyDateInput, RemoveInput } from './control/people.ts'

export type Action =
  | { edit: EditInput }
  | { add: AddInput }
  | { remove: RemoveInput }
  | { massUpdate: MassInput }
  | { setModifyDate: ModifyDateInput }
  | { convert: ConvertInput }
  | { merge: MergeInput }
  | { fault: Fault }
  | { settings: Partial<Settings> }

export type ScriptInput = {
  /** runs when so many matching requests were worked on since it was given, before the next one */
  afterRequests: number
  do: Action[]
  /** runs again after each further so many requests */
  repeat?: boolean
  match?: Match
}

export type Actor = {
  edit(input: EditInput): unknown
  add(input: AddInput): unknown
  remove(input: RemoveInput): unknown
  massUpdate(input: MassInput): unknown
  setModifyDate(input: ModifyDateInput): unknown
  convert(input: ConvertInput): unknown
  merge(input: MergeInput): unknown
  addFault(fault: Fault): unknown
  settings(patch: Partial<Settings>): unknown
}

const perform = (actor: Actor, action: Action): void => {
  if ('edit' in action) actor.edit(action.edit)
  else if ('add' in action) actor.add(action.add)
  else if ('remove' in action) actor.remove(action.remove)
  else if ('massUpdate' in action) actor.massUpdate(action.massUpdate)
  else if ('setModifyDate' in action) actor.setModifyDate(action.setModifyDate)
  else if ('convert' in action) actor.convert(action.convert)
  else if ('merge' in action) actor.merge(action.merge)
  else if ('fault' in action) actor.addFault(action.fault)
  else actor.settings(action.settings)
}

/** Work that the CRM's people do while a client reads. */
export const makeScripts = () => {
  let scripts: { id: string; input: ScriptInput; seen: number }[] = []
  let made = 0
  return {
    add(input: ScriptInput): string {
      const id = `script${++made}`
      scripts.push({ id, input, seen: 0 })
      return id
    },
    clear(): void {
      scripts = []
    },
    list: () => scripts.map(({ id, input, seen }) => ({ id, seen, ...input })),
    worked(actor: Actor, request: Incoming): void {
      for (const script of scripts) {
        const { match = {}, afterRequests, repeat, do: actions } = script.input
        if (!matches(match, request)) continue
        if (++script.seen < afterRequests) continue
        script.seen = repeat === true ? 0 : Number.NEGATIVE_INFINITY
        for (const action of actions) perform(actor, action)
      }
      scripts = scripts.filter(({ seen }) => seen !== Number.NEGATIVE_INFINITY)
    },
  }
}

export type Scripts = ReturnType<typeof makeScripts>

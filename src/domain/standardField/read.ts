import { isPushable } from '../counterpart.ts'
import type { CrmEntity, CrmField } from '../crm.ts'
import { FairleadError, type ErrorCode } from '../errors.ts'
import { isSecretField } from '../field.ts'
import { systemFields } from '../list.ts'
import { wordOf } from './name.ts'
import type { StandardField } from './mapping.ts'
import { usageOf } from './usage.ts'

/** As a person gives it: with a usage, the CRM's fields are those of the usage. `id`: of one that is there already, whatever its name. */
export type AskedField = Omit<StandardField, 'id'> & { id: string | null }

type Live = Partial<Record<CrmEntity, readonly CrmField[]>> | null
type Issue = { code: ErrorCode; path: string; message: string }
const sides = [
  ['lead', 'leadField'],
  ['contact', 'contactField'],
] as const

/** What is wrong with a CRM field that is given by hand, else its canonical name. */
const readField = (
  said: string,
  entity: CrmEntity,
  live: Live,
  before: string | null,
): string | Omit<Issue, 'path'> => {
  if (isSecretField(said)) return { code: 'secretField', message: `"${said}" holds a secret and is never written.` }
  if (systemFields.some((name) => name.toLowerCase() === said.toLowerCase()))
    return { code: 'fieldReadOnly', message: `${said} is kept by the CRM and by the suppressions.` }
  const fields = live?.[entity]
  const field = fields?.find(({ name }) => name.toLowerCase() === said.toLowerCase())
  if (field !== undefined && isPushable(field)) return field.name
  if (field !== undefined)
    return { code: 'fieldReadOnly', message: `${field.name} is set by the CRM itself or belongs to something else.` }
  // one that has gone from the CRM meanwhile stays until somebody changes it (R24)
  if (before?.toLowerCase() === said.toLowerCase()) return before
  return fields === undefined
    ? { code: 'notConnected', message: `The fields of a ${entity} are not known at the moment.` }
    : { code: 'unknownField', message: `A ${entity} has no field "${said}".` }
}

/**
 * The whole set of standard fields as it is to be stored, in its order. One without an id is the stored one of its name. Throws the first thing that is
 * wrong, with all places: nameTaken where two have one name or alias, duplicateField for one usage or CRM field twice, unknownField, fieldReadOnly,
 * secretField, notConnected, invalidInput.
 */
export const readStandardFields = (
  asked: readonly AskedField[],
  known: readonly StandardField[],
  live: Live,
): (Omit<StandardField, 'id'> & { id: string | null })[] => {
  const issues: Issue[] = []
  const byId = new Map(known.map((field) => [field.id, field]))
  const byWord = new Map(known.map((field) => [wordOf(field.name), field]))
  const kept = new Set(asked.flatMap(({ id }) => id ?? []))
  const words = new Map<string, number>()
  const claims = new Map<string, number>()
  const seen = new Set<string>()
  const claim = (what: string, index: number, path: string, said: string): void => {
    if (claims.has(what)) issues.push({ code: 'duplicateField', path, message: `${said} is used twice.` })
    claims.set(what, index)
  }
  const read = asked.map((field, index) => {
    const at = `items[${index}]`
    const ofName = byWord.get(wordOf(field.name))
    const before = field.id === null ? (ofName && !kept.has(ofName.id) ? ofName : undefined) : byId.get(field.id)
    if (field.id !== null && (before === undefined || seen.has(field.id)))
      issues.push({ code: 'invalidInput', path: `${at}.id`, message: 'There is no such standard field.' })
    if (field.id !== null) seen.add(field.id)
    const aliases: string[] = []
    for (const [place, name] of [field.name, ...field.aliases].entries()) {
      const path = place === 0 ? `${at}.name` : `${at}.aliases[${place - 1}]`
      const word = wordOf(name)
      const holder = words.get(word)
      if (word === '') issues.push({ code: 'invalidInput', path, message: 'A name needs a letter or a digit.' })
      else if (holder !== undefined && holder !== index)
        issues.push({ code: 'nameTaken', path, message: `"${name}" means "${asked[holder]!.name}" already.` })
      else if (holder === undefined) {
        words.set(word, index)
        if (place > 0) aliases.push(name)
      }
    }
    const usage = usageOf(field.systemUsage)
    const mapping = { leadField: usage?.lead ?? null, contactField: usage?.contact ?? null }
    if (usage === undefined)
      for (const [entity, side] of sides) {
        const said = field[side]
        if (said === null) continue
        const found = readField(said, entity, live, before?.[side] ?? null)
        if (typeof found === 'string') mapping[side] = found
        else issues.push({ ...found, path: `${at}.${side}` })
      }
    const places = { lead: mapping.leadField, contact: mapping.contactField }
    for (const [entity, name] of Object.entries(places)) {
      const path = usage ? `${at}.systemUsage` : `${at}.${entity}Field`
      if (name !== null) claim(`${entity} ${name.toLowerCase()}`, index, path, usage ? usage.label : name)
    }
    return { id: before?.id ?? null, name: field.name, aliases, systemUsage: usage?.code ?? null, ...mapping }
  })
  const [first] = issues
  if (first === undefined) return read
  const errors = issues.map(({ path, message }) => ({ path, message }))
  throw new FairleadError(first.code, { detail: `${first.path}: ${first.message}`, errors })
}

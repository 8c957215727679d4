import type { CrmEntity, CrmField } from './crm.ts'
import { FairleadError } from './errors.ts'
import { lockedFields, systemFields } from './list.ts'

const secretName = /passw|pwd|secret(?!ar)|token|credential|webusername|hint(s|question|answer|\d*)?$/i

/** Properties that hold a password or lead to one are never offered and never read. */
export const isSecretField = (name: string): boolean => secretName.test(name)

export type ChosenField = CrmField & { system: boolean }

/** A field that is only read, for our own use: its label is its name. */
export const readField = (name: string, type: CrmField['type'] = 'text'): CrmField => ({
  name,
  label: name,
  type,
  maxLength: null,
  custom: false,
  readOnly: true,
  required: false,
  locked: false,
  address: false,
  picklist: null,
  picklistStorage: null,
})

/** What is asked for when the CRM does not describe a locked field. */
const lockedField = (name: string): CrmField => ({
  ...readField(name, name === 'Email' ? 'email' : 'text'),
  readOnly: false,
  locked: true,
})

/**
 * The columns of an import (I3): the locked ones, the system ones where they exist, then the chosen ones in their order.
 * Names match in any case. Errors: unknownField, secretField, duplicateField, each naming its place as `fields[i]`.
 */
export const chooseFields = (entity: CrmEntity, live: readonly CrmField[], names: readonly string[]): ChosenField[] => {
  const byName = new Map(live.map((field) => [field.name.toLowerCase(), field]))
  const chosen = new Map<string, ChosenField>()
  for (const name of lockedFields) {
    chosen.set(name.toLowerCase(), {
      ...(byName.get(name.toLowerCase()) ?? lockedField(name)),
      locked: true,
      system: false,
    })
  }
  for (const name of systemFields) {
    const field = byName.get(name.toLowerCase())
    if (field !== undefined) chosen.set(name.toLowerCase(), { ...field, system: true })
  }
  const fail = (code: 'unknownField' | 'secretField' | 'duplicateField', index: number, message: string): never => {
    throw new FairleadError(code, { errors: [{ path: `fields[${index}]`, message }] })
  }
  const asked = new Set<string>()
  for (const [index, name] of names.entries()) {
    const key = name.toLowerCase()
    if (isSecretField(name)) fail('secretField', index, `"${name}" holds a secret and is never read.`)
    if (asked.has(key)) fail('duplicateField', index, `"${name}" is chosen twice.`)
    asked.add(key)
    const field = byName.get(key)
    const fixed = chosen.get(key)
    if (fixed !== undefined) chosen.set(key, { ...fixed, system: false })
    else if (field === undefined) fail('unknownField', index, `The CRM has no field "${name}" for a ${entity}.`)
    else chosen.set(key, { ...field, system: false })
  }
  return [...chosen.values()]
}

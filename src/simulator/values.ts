import { isoOf } from './dates.ts'
import type { Property, Value } from './model.ts'
import type { Settings } from './settings.ts'

const harmless = /^[ !#-[\]-~]*$/

export const quote = (text: string): string => (harmless.test(text) ? `"${text}"` : JSON.stringify(text))

export const padded = (id: string): string => id.padEnd(12)

export const keyText = (id: string, settings: Settings): string => padded(settings.padIds ? `${id}    ` : id)

export const dateText = (ms: number, settings: Settings): string =>
  settings.dates === 'iso' ? `"${isoOf(ms)}"` : `"/Date(${ms})/"`

const enumName = (property: Property, value: Value): Value =>
  Object.entries(property.enum ?? {}).find(([, number]) => number === value)?.[0] ?? value

export const valueWriter = (property: Property, settings: Settings, entity: string): ((value: Value) => string) => {
  switch (property.type) {
    case 'instant':
    case 'date':
      return (value) => dateText(value as number, settings)
    case 'boolean':
      return settings.booleans === 'letters' ? (value) => (value === true ? '"T"' : '"F"') : String
    case 'integer':
    case 'number':
    case 'decimal':
      return String
    case 'enum':
      return settings.enums === 'number' && entity !== 'History'
        ? String
        : (value) => quote(String(enumName(property, value)))
    case 'id':
      return (value) => quote(padded(value as string))
    default:
      return (value) => quote(value as string)
  }
}

import { ownNames } from '../record.ts'

/** The templates of a message. */
export type MessagePart = 'subject' | 'preheader' | 'html' | 'text'

/** `{{ name }}`, or what else asks for the value of a column. */
export type Placeholder = { name: string; part: MessagePart; line: number; column: number }

/** Known in every message, whatever columns there are. */
export const unsubscribePlaceholder = 'unsubscribe_url'
export const linkPlaceholders: readonly string[] = [unsubscribePlaceholder, 'preview_url']

/** `Business City` → `business_city`, `FirstName` → `first_name`, `2nd phone` → `2nd_phone`. */
const snake = (name: string): string =>
  name
    .normalize('NFC')
    .replaceAll(/(\p{Ll}|\d)(\p{Lu})/gu, '$1_$2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .replaceAll(/[^\p{L}\p{M}\p{N}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '')
    .toLowerCase()

const own = new Map<string, string>([
  [ownNames.email, 'email'],
  [ownNames.firstName, 'first_name'],
  [ownNames.lastName, 'last_name'],
])

type Named = { key: string; name: string; crmField: string | null }

/**
 * Placeholder → key of the column whose value it stands for. A column goes by its name and by its CRM field; what every record has goes first, then names,
 * then fields, each in the order of the columns.
 */
export const placeholderKeys = (columns: readonly Named[]): Map<string, string> => {
  const found = new Map<string, string>()
  for (const naming of [
    ({ key }: Named) => own.get(key) ?? '',
    ({ name }: Named) => snake(name),
    ({ crmField }: Named) => snake(crmField ?? ''),
  ]) {
    for (const column of columns) {
      const name = naming(column)
      if (name !== '' && !found.has(name) && !linkPlaceholders.includes(name)) found.set(name, column.key)
    }
  }
  return found
}

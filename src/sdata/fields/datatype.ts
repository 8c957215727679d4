import type { CrmField, FieldType } from '../../domain/crm.ts'
import type { Row } from '../paging/feed.ts'

/** What a data type says about a property. `null` type: not a plain value (relation, collection, binary), never offered. */
export type Typed = Pick<CrmField, 'maxLength' | 'picklist' | 'picklistStorage'> & { type: FieldType | null }

// The vendor's own ids of data types, as its web client lists them.
const byId: Record<string, FieldType | null> = {
  'ccc0f01d-7ba5-408e-8526-a3f942354b3a': 'text',
  'f4ca6023-9f5f-4e41-8571-50ba94e8f233': 'text',
  '76c537a8-8b08-4b35-84cf-fa95c6c133b0': 'text',
  'b2ed309e-ea89-4eef-8051-6244987953a4': 'text',
  'f750817f-73ad-4bf3-b2de-bd0f5cc47dfd': 'text',
  '189a1a4e-396c-4146-95c0-93b5d9e7d160': 'text',
  '3ca925e1-4b76-4621-a39c-a0d4cb7327d5': 'text',
  '30053f5a-8d40-4db1-b185-1e4128eb26cc': 'text',
  '17541523-fc31-4269-ac97-df63290d0e31': 'text',
  'a3b52518-801b-44be-96bf-fdca3de84f7f': 'text',
  '517d5e69-9efa-4d0a-8e7a-1c7691f921ba': 'text',
  '8edd8fce-2be5-4d3d-bedd-ea667e78a8af': 'text',
  '5685161e-5f0a-4a36-83fe-89e8e462e9e7': 'text',
  '31e8638d-4232-4c61-8827-d94132a33887': 'email',
  '85f2bba5-1fb7-4ecf-941a-d98d4739c305': 'phone',
  'b71918bf-fac1-4b62-9ed5-0b0294bc9900': 'picklist',
  '47f90249-e4c8-4564-9ae6-e1fa9904f8b8': 'number',
  '6b0b3d51-0728-4b67-9473-52836a81da53': 'number',
  'a6bf2690-3477-4a18-9849-56abf8693934': 'number',
  'f37c635c-9fbf-40d8-98d5-750a54a3cca1': 'number',
  '2596d57d-89d6-4b72-9036-b18c64c5324c': 'number',
  '44bc190a-99f3-4fa9-98a3-d5b2336d6e7c': 'number',
  '68e04249-f7e2-4b63-90be-55fbb1f4aa77': 'number',
  '92432b4d-8206-4a96-ba7b-e4cbd374f148': 'boolean',
  '95ca9d52-6f0b-4a96-bd40-43583f41faf8': 'boolean',
  '3edc7c52-e711-431d-b150-969d88ebabf4': 'boolean',
  '1f08f2eb-87c8-443b-a7c2-a51f590923f5': 'instant',
  '07370ef3-ad24-409f-86a8-ff2db5ee6d69': null,
  '2f770d03-c93c-4605-8ae8-7cdae04830d7': null,
}

const byName: [RegExp, FieldType | null][] = [
  [/relation|collection|binary|blob/i, null],
  [/pick\s*list/i, 'picklist'],
  [/e-?mail/i, 'email'],
  [/phone|fax/i, 'phone'],
  [/bool|true\/?false|yes\/?no/i, 'boolean'],
  [/date\s*\/?-?\s*time|timestamp/i, 'instant'],
  [/date/i, 'date'],
  [
    /^(xs:|xsd:|system\.)?(u?int(eger|\d+)?|short( integer)?|long|decimal|double|single|float|number|numeric|byte|currency|money)\b/i,
    'number',
  ],
]

/** A field type from a data type's id or its name in any of the vendor's wordings; text where it says nothing. */
export const typeOf = (id: string, names: string[] = []): FieldType | null => {
  const known = byId[id.trim().toLowerCase().replace(/[{}]/g, '')]
  if (known !== undefined) return known
  for (const name of [id, ...names]) {
    const found = byName.find(([pattern]) => pattern.test(name))
    if (found) return found[1]
  }
  return 'text'
}

const addXml = (xml: string, into: Map<string, string>): void => {
  for (const [, name = '', text = ''] of xml.matchAll(/<([\w.:-]+)(?:\s[^>]*)?>([^<]*)(?=<)/g)) {
    const key = name.replace(/^.*:/, '').toLowerCase()
    if (text.trim() !== '' || !into.has(key)) into.set(key, text.trim())
  }
  for (const [, name = '', text = ''] of xml.matchAll(/([\w.:-]+)="([^"]*)"/g))
    if (!into.has(name.toLowerCase())) into.set(name.toLowerCase(), text)
}

/** All scalar members of `DataTypeData`, which is an object, JSON in a string, or the model's XML in a string; names in lower case. */
const flatten = (value: unknown, into = new Map<string, string>(), name = ''): Map<string, string> => {
  if (typeof value === 'string' && value.trimStart().startsWith('<')) addXml(value, into)
  else if (typeof value === 'string' && value.trimStart().startsWith('{')) {
    try {
      flatten(JSON.parse(value), into)
    } catch {
      into.set(name, value)
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) flatten(inner, into, key.toLowerCase())
  } else if (value !== null && value !== undefined && name !== '') into.set(name, String(value).trim())
  return into
}

const first = (members: Map<string, string>, ...names: string[]): string =>
  names.map((name) => members.get(name) ?? '').find((text) => text !== '') ?? ''

const storageOf = (text: string): CrmField['picklistStorage'] => {
  // Text, TextUnicode, Code, CodeUnicode, Id, Number in the vendor's model; some sources give the first letter
  if (/^c/i.test(text)) return 'code'
  if (/^i/i.test(text)) return 'id'
  return text === '' || /^t/i.test(text) ? 'text' : null
}

/** Reads type, length and picklist of one row of the metadata contract (9.2). */
export const readDataType = (row: Row, dataTypeId: string, dataType: unknown, data: unknown): Typed => {
  const members = flatten(data)
  const names = typeof dataType === 'string' ? [dataType] : [...flatten(dataType).values()]
  const picklist = first(members, 'picklistname', 'picklist', 'picklistid')
  const declared = typeOf(dataTypeId, names)
  const type = declared !== null && picklist !== '' ? 'picklist' : declared
  const size = Number(
    first(members, 'length', 'maxlength', 'maximumlength') ||
      first(flatten(row), 'maximumlength', 'maxlength', 'length'),
  )
  const dateOnly =
    /^(true|t|1|yes)$/i.test(first(members, 'dateonly', 'timeless')) ||
    /^(d|date ?(only)?|timeless)$/i.test(first(members, 'datetimetype', 'format', 'displaytype'))
  const textual = type === 'text' || type === 'email' || type === 'phone' || type === 'picklist'
  return {
    type: type === 'instant' && dateOnly ? 'date' : type,
    // memos state the largest 32-bit number
    maxLength: textual && Number.isInteger(size) && size > 0 && size < 2_000_000_000 ? size : null,
    picklist: type === 'picklist' && picklist !== '' ? picklist : null,
    picklistStorage:
      type === 'picklist' && picklist !== ''
        ? storageOf(first(members, 'storage', 'storagemode', 'storageformat', 'store'))
        : null,
  }
}

import type { Property, PropertyType } from '../model.ts'
import type { Settings } from '../settings.ts'
import { escapeXml } from './schema.ts'

/** Ids of the entity model's data types. */
const ids: Record<PropertyType, string> = {
  text: 'ccc0f01d-7ba5-408e-8526-a3f942354b3a',
  memo: 'f4ca6023-9f5f-4e41-8571-50ba94e8f233',
  email: '31e8638d-4232-4c61-8827-d94132a33887',
  phone: '85f2bba5-1fb7-4ecf-941a-d98d4739c305',
  url: '5685161e-5f0a-4a36-83fe-89e8e462e9e7',
  picklist: 'b71918bf-fac1-4b62-9ed5-0b0294bc9900',
  calculated: 'f750817f-73ad-4bf3-b2de-bd0f5cc47dfd',
  boolean: '92432b4d-8206-4a96-ba7b-e4cbd374f148',
  integer: '47f90249-e4c8-4564-9ae6-e1fa9904f8b8',
  number: 'f37c635c-9fbf-40d8-98d5-750a54a3cca1',
  decimal: '2596d57d-89d6-4b72-9036-b18c64c5324c',
  instant: '1f08f2eb-87c8-443b-a7c2-a51f590923f5',
  date: '1f08f2eb-87c8-443b-a7c2-a51f590923f5',
  id: '30053f5a-8d40-4db1-b185-1e4128eb26cc',
  enum: '8edd8fce-2be5-4d3d-bedd-ea667e78a8af',
}

export const relationshipTypeId = '2f770d03-c93c-4605-8ae8-7cdae04830d7'

const names: Record<PropertyType, string> = {
  text: 'TextDataType',
  memo: 'MemoDataType',
  email: 'EmailDataType',
  phone: 'PhoneDataType',
  url: 'UrlDataType',
  picklist: 'PickListDataType',
  calculated: 'CalculatedStringDataType',
  boolean: 'TrueFalseDataType',
  integer: 'IntegerDataType',
  number: 'DoubleDataType',
  decimal: 'DecimalDataType',
  instant: 'DateTimeDataType',
  date: 'DateTimeDataType',
  id: 'StandardIdDataType',
  enum: 'EnumDataType',
}

export const dataTypeIdOf = ({ type }: Property): string => ids[type]

/** A picklist property whose storage is not fixed follows the simulator's setting. */
const storageOf = (property: Property, settings: Settings): string => {
  const storage = property.storage === 'text' ? settings.picklistStorage : property.storage
  return storage === 'id' ? 'ID' : storage === 'code' ? 'Code' : 'Text'
}

/**
 * What a property's data type carries beyond its id. The real spelling is documented nowhere, so that the setting `dataTypeShape` plays three:
 * `object`  { "Length": 64, "PickListName": "Title", "Storage": "Text" }, dates { "DateTimeType": "Timeless" }
 * `camel`   { "length": "64", "pickListName": "Title", "storage": "T" }, dates { "dateTimeType": "D" }
 * `xml`     "<PickListDataType><Length>64</Length><PickListName>Title</PickListName><Storage>Text</Storage></PickListDataType>"
 */
export const dataTypeOf = (property: Property, settings: Settings): unknown => {
  const data: Record<string, string | number> = {}
  if (property.length !== null) data['Length'] = property.length
  if (property.picklist !== null) {
    data['PickListName'] = property.picklist
    data['Storage'] = storageOf(property, settings)
  }
  if (property.type === 'decimal') Object.assign(data, { Precision: 19, DecimalDigits: 2 })
  if (property.type === 'date') data['DateTimeType'] = 'Timeless'
  const entries = Object.entries(data)
  if (settings.dataTypeShape === 'object') return data
  if (settings.dataTypeShape === 'xml') {
    const inner = entries.map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`).join('')
    return `<${names[property.type]}>${inner}</${names[property.type]}>`
  }
  const short = (name: string, value: string | number): string =>
    name === 'Storage' || name === 'DateTimeType' ? String(value).replace('Timeless', 'D').slice(0, 1) : String(value)
  return Object.fromEntries(
    entries.map(([name, value]) => [`${name[0]?.toLowerCase()}${name.slice(1)}`, short(name, value)]),
  )
}

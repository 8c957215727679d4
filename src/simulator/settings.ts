import type { Storage } from './model.ts'

export type Mode = '8.x' | '7.5.4'

/** What the server makes of a value that a client sends: decimals of two places, digits alone as where phone numbers are formatted. */
export type Rewrite = 'upper' | 'trim' | 'round2' | 'digits'

/** Switches of the whole simulator; `POST /_simulator/settings` changes any of them while it runs. */
export type Settings = {
  mode: Mode
  latencyMs: number
  /** the most rows that a page ever holds */
  maxPage: number
  /** rows of a page when the request does not say */
  defaultPage: number
  dates: 'json' | 'iso'
  booleans: 'native' | 'letters'
  bom: boolean
  /** entity ids carry trailing blanks, as fixed-length columns do */
  padIds: boolean
  /** `Accept: application/json` alone gives JSON */
  jsonByAccept: boolean
  /** what entities hold of picklist items where the property does not say */
  picklistStorage: Storage
  collation: 'insensitive' | 'sensitive'
  unknownPropertyStatus: 400 | 500
  overlongText: 'error' | 'cut'
  blankToNull: boolean
  /** null relations: `null`, or an object without `$key` */
  nullRelation: 'null' | 'object'
  /** refuses GET URLs beyond so many characters with 414; 0 is off */
  maxUrl: number
  /** a second session of a user is refused with this status while a request is under way; 0 is off */
  oneSession: 0 | 401 | 403
  /** how `DataTypeData` of metadata properties is spelled: see contracts/dataTypes.ts */
  dataTypeShape: 'object' | 'camel' | 'xml'
  errorShape: 'array' | 'object' | 'single'
  /** `select` on users answers 500 */
  userSelectFails: boolean
  /** enum values of users and owners: number or name */
  enums: 'name' | 'number'
  /** moves the CRM's clock, its Date header included */
  clockOffsetMs: number
  /** properties that a new row must have, by entity */
  required: Record<string, string[]>
  /** `required`: changing and deleting without If-Match is refused with 400 */
  ifMatch: 'honour' | 'ignore' | 'required'
  /** `off`: there is no `$batch` */
  batch: 'on' | 'off'
  /** a batch of more items is refused with 400 */
  batchMax: number
  /** what each item of a batch adds to `latencyMs` */
  batchItemMs: number
  /** the feed `leadHistory` of converted leads exists */
  leadHistory: boolean
  /** `mustExist`: a client may only write items of the picklist, in the form in which they are stored */
  picklistWrites: 'free' | 'mustExist'
  /** by entity and property, such as `{ Lead: { WorkPhone: 'digits' }, LeadAddress: { City: 'upper' } }` */
  rewrites: Record<string, Record<string, Rewrite>>
}

export const defaultSettings: Settings = {
  mode: '8.x',
  latencyMs: 0,
  maxPage: 1000,
  defaultPage: 100,
  dates: 'json',
  booleans: 'native',
  bom: false,
  padIds: false,
  jsonByAccept: false,
  picklistStorage: 'text',
  collation: 'insensitive',
  unknownPropertyStatus: 500,
  overlongText: 'error',
  blankToNull: false,
  nullRelation: 'null',
  maxUrl: 0,
  oneSession: 0,
  dataTypeShape: 'object',
  errorShape: 'array',
  userSelectFails: false,
  enums: 'name',
  clockOffsetMs: 0,
  required: {
    Lead: ['LastName', 'Company'],
    Contact: ['LastName', 'Account'],
    History: ['Type'],
    Account: ['AccountName'],
  },
  ifMatch: 'honour',
  batch: 'on',
  batchMax: 100,
  batchItemMs: 0,
  leadHistory: false,
  picklistWrites: 'free',
  rewrites: {},
}

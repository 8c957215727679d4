import type { CrmSaid, FairleadError } from './errors.ts'

/** The port that a CRM connector fills. Everything that knows SData stands behind it. */

export type CrmEntity = 'lead' | 'contact'

export type FieldType = 'text' | 'number' | 'boolean' | 'date' | 'instant' | 'email' | 'phone' | 'picklist'

/** One property of an entity as the CRM describes it. `name` is canonical: `WorkPhone`, `Address/City`, `CRegion`. */
export type CrmField = {
  name: string
  label: string
  type: FieldType
  /** characters; null where unknown or unlimited */
  maxLength: number | null
  custom: boolean
  readOnly: boolean
  required: boolean
  /** always imported: Email, FirstName, LastName */
  locked: boolean
  address: boolean
  /** name of the picklist behind it, and what the entity stores of an item */
  picklist: string | null
  picklistStorage: 'text' | 'code' | 'id' | null
}

/**
 * A value as Fairlead keeps it: text, number, boolean, null for blank. Instants are ISO 8601 in UTC (`2026-11-23T10:00:00.000Z`),
 * dates without time are `2026-11-23`. A number that a double cannot hold exactly is a `bigDecimal` string. A key that is missing is `absent` (R8).
 */
export type CrmValue = string | number | boolean | null | { bigDecimal: string }

export type CrmPerson = { id: string; values: Record<string, CrmValue> }

/**
 * A person as read for writing. `etag` is the CRM's version of it, `addressKey` names its primary address; null where the CRM gives none. The
 * address is known only when one of its fields was read: without its key a change of the address makes a new one.
 */
export type CrmFound = CrmPerson & { etag: string | null; addressKey: string | null }

/** Values to write, by canonical field name (`Address/City` too); null clears. Texts of picklists as people see them. */
export type CrmChanges = Record<string, CrmValue>

/** People whose own row, or whose primary address, changed at or after this instant by the CRM's clock (R14). The two sets do not overlap. */
export type CrmChanged = { since: string; of: 'person' | 'address' }

/** What one read found out on the way, said on the run: properties that the CRM no longer knows, odd answers. */
export type CrmWarning = {
  code:
    | 'fieldMissing'
    | 'fieldAbsent'
    | 'wrongTotal'
    | 'shortPages'
    | 'valueUnreadable'
    | 'addressChangesUnknown'
    | 'oneSession'
    | 'parked'
    | 'columnRemoved'
    | 'addressNotMapped'
    | 'fieldTaken'
  field?: string
  count: number
}

export type CrmPage<Row> = {
  rows: Row[]
  /** the key to go on after, null when the range is read to its end */
  next: string | null
  /** ids on this page that the CRM could not deliver, each found by splitting (R22) */
  unreadable: { id: string; crm: CrmSaid }[]
  warnings: CrmWarning[]
}

/** Keys in the CRM's own order: `after` excluded, `upTo` included; null is open. */
export type KeyRange = { after: string | null; upTo: string | null }

/** R32: a "message sent" note, as a completed e-mail of a person's Notes/History. */
export type CrmNote = {
  entity: CrmEntity
  crmId: string
  /** the person as the CRM lists it, and its company; null where that is not known */
  name: string | null
  company: string | null
  /** of a contact */
  accountId: string | null
  /** whose note it is; null: of the user that we are logged in as */
  userId: string | null
  sentAt: string
  /** shown as what it is regarding; cut to what the CRM takes */
  subject: string
  text: string
}

export type CrmNoteFound = { id: string; crmId: string; startAt: string | null; description: string; text: string }

export type CrmIdentity = {
  /** the completed SData address, e.g. https://crm.example.com/sdata */
  url: string
  version: string
  family: '7.5.4' | '8'
  userId: string
  userName: string
  administrator: boolean
  rights: string[] | null
}

export type CrmCredentials = { url: string; username: string; password: string }

/** Forms and opt-outs go before bulk work (R26). `ahead`: interactive, and other interactive work of the same process waits for its answer. */
export type Priority = 'ahead' | 'interactive' | 'bulk'

export type CallOptions = {
  signal?: AbortSignal
  /** who waits */
  priority?: Priority
}

export type ReadOptions = CallOptions & { changed?: CrmChanged }

/** A connected CRM. Every call takes a slot of the connection's budget first and throws FairleadError only. */
export type Crm = {
  /** C1: login check with one serial request; tells the codes of errors.ts apart */
  check(options?: CallOptions): Promise<CrmIdentity>
  fields(entity: CrmEntity, options?: CallOptions): Promise<CrmField[]>
  /** the items of a picklist as people see them, in the CRM's order; none where the CRM does not have it */
  choices(picklist: string, options?: CallOptions): Promise<string[]>
  /** how many the CRM says it has, or says have changed: a hint, null when it does not say */
  total(entity: CrmEntity, options?: ReadOptions): Promise<number | null>
  /**
   * R14: the largest ModifyDate that the CRM holds now, ignoring values more than a day after the reply's Date; null when there is none.
   * `addresses`: those of primary addresses count too.
   */
  latestChange(entity: CrmEntity, options?: CallOptions & { addresses?: boolean }): Promise<string | null>
  /** the key at a 0-based offset in key order, null when there is none */
  keyAt(entity: CrmEntity, offset: number, options?: ReadOptions): Promise<string | null>
  /** one page of people in key order with the chosen properties; `fields` are canonical names */
  people(entity: CrmEntity, fields: CrmField[], range: KeyRange, options?: ReadOptions): Promise<CrmPage<CrmPerson>>
  /** one page of keys in key order */
  keys(entity: CrmEntity, range: KeyRange, options?: CallOptions): Promise<CrmPage<string>>
  /** people by id, any number (split at the URL limit); ids that the CRM does not have are simply not among the rows */
  peopleById(
    entity: CrmEntity,
    fields: CrmField[],
    ids: string[],
    options?: CallOptions,
  ): Promise<Omit<CrmPage<CrmFound>, 'next'>>
  /**
   * everybody whose e-mail is one of these by R2, any number (split at the URL limit); the comparison does not depend on the CRM's collation. `hidden`:
   * addresses, as R2 has them, of people who are there and do not come, whether or not somebody else has come who has the same
   */
  peopleByEmail(
    entity: CrmEntity,
    fields: CrmField[],
    emails: string[],
    options?: CallOptions,
  ): Promise<Omit<CrmPage<CrmFound>, 'next'> & { hidden: string[] }>
  /**
   * Creates a lead; answers it as the CRM stored it. `fields` describes every name in `changes`. Never repeated by itself: after
   * crmTimeout, crmUnreachable, crmFailed or crmAnswer it may have been carried out, even much later. `sending` is called when the request has its
   * slot, right before it goes out; what it throws keeps it from being sent.
   */
  createLead(
    fields: CrmField[],
    changes: CrmChanges,
    options?: CallOptions & { sending?: () => Promise<void> },
  ): Promise<CrmFound>
  /**
   * Writes the changed fields of a person, if nobody changed it since `person` was read; answers it as the CRM stored it, with all of `fields`.
   * Throws crmChanged when somebody did.
   */
  update(
    entity: CrmEntity,
    fields: CrmField[],
    person: Pick<CrmFound, 'id' | 'etag' | 'addressKey'>,
    changes: CrmChanges,
    options?: CallOptions,
  ): Promise<CrmFound>
  /**
   * The same for up to 25 people of one entity in one request, each with its own outcome in the order of `items`. null when the CRM is not known to be
   * faster that way: then each is to be written by `update`. The connector finds that out by itself, as soon as it is given 20 items or more.
   */
  updateMany(
    entity: CrmEntity,
    fields: CrmField[],
    items: { person: Pick<CrmFound, 'id' | 'etag' | 'addressKey'>; changes: CrmChanges }[],
    options?: CallOptions,
  ): Promise<(CrmFound | FairleadError)[] | null>
  /**
   * R32: makes a note; answers its id, null where the CRM has not told it. Never repeated by itself, as `createLead`, with the same `sending`.
   */
  createNote(note: CrmNote, options?: CallOptions & { sending?: () => Promise<void> }): Promise<{ id: string | null }>
  /** e-mails in the Notes/History of these people, any number, that started between two instants, both included */
  notesOf(
    entity: CrmEntity,
    crmIds: string[],
    range: { from: string; to: string },
    options?: CallOptions,
  ): Promise<CrmNoteFound[]>
  /** how long ago the CRM last took a change of ours, in milliseconds, as far as this process knows; Infinity for never */
  wroteMsAgo(): number
  /** whether `updateMany` is faster; null until that has been found out */
  batchable(): boolean | null
  /** the CRM's clock minus ours in milliseconds, as near as its replies have told; null before the first */
  skewMs(): number | null
  /** R16: leads that were converted → the contact each became, as far as the CRM itself tells; mostly it does not */
  conversions(leadIds: string[], options?: CallOptions): Promise<Map<string, string>>
  /** frees sockets */
  close(): Promise<void>
}

/** A slot of the connection's budget, shared by all workers through Postgres (R26). */
export type Slot = {
  /** ends when the lease is lost: requests under way must be aborted */
  signal: AbortSignal
  /** tells the pace what the request saw */
  report(outcome: { ms: number; ok: boolean; pause?: number | null }): void
  release(): Promise<void>
}

export type Budget = {
  take(priority: Priority, signal?: AbortSignal): Promise<Slot>
}

export type CrmConnector = {
  /** opens without a request. `url` may be what the user typed; `check` completes it. */
  open(input: CrmCredentials & { connectionId: string }, budget: Budget): Crm
}

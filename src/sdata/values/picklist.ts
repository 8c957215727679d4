import type { CallOptions, CrmField } from '../../domain/crm.ts'
import { isFairleadError } from '../../domain/errors.ts'
import { member, readFeed, type Row } from '../paging/feed.ts'
import { literal, type Query } from '../http/query.ts'
import type { Session } from '../session.ts'
import { trimId } from './value.ts'

type Item = { id: string | null; code: string | null; text: string | null }

const path = 'slx/system/-/picklists'

const rowsOf = (value: unknown): Row[] => {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.filter((item): item is Row => typeof item === 'object' && item !== null)
  return rowsOf((value as Row)['$resources'])
}

const toItem = (row: Row): Item => ({
  id: trimId(row['$key']) ?? trimId(member(row, 'itemId')) ?? trimId(member(row, 'id')),
  code: trimId(member(row, 'code')) ?? trimId(member(row, 'shortText')),
  text: trimId(member(row, 'text')),
})

/** null where this way of asking is not understood by the server */
const attempt = async (
  { client }: Session,
  ask: { path: string; query: Query },
  options: CallOptions,
): Promise<unknown> => {
  try {
    return (await client.ask(ask, options)).json
  } catch (error) {
    if (isFairleadError(error) && (error.kind === 'record' || error.code === 'entityDisabled')) return null
    throw error
  }
}

const findPicklist = async (session: Session, name: string, options: CallOptions): Promise<Row | null> => {
  const where = `name eq ${literal(name)}`
  const select = ['name', 'items/text', 'items/code', 'items/number']
  for (const query of [
    { where, include: 'items', select },
    { where, include: 'items' },
  ] satisfies Query[]) {
    const json = await attempt(session, { path, query }, options)
    const [found] = json === null ? [] : readFeed(json, false).rows
    if (found) return found
  }
  const one = await attempt(session, { path: `${path}(${literal(name)})`, query: { include: 'items' } }, options)
  return typeof one === 'object' && one !== null ? (one as Row) : null
}

const readItems = async (session: Session, name: string, options: CallOptions): Promise<Item[]> => {
  const picklist = await findPicklist(session, name, options)
  if (picklist === null) return []
  const inside = rowsOf(member(picklist, 'items')).map(toItem)
  const key = trimId(picklist['$key'])
  if (inside.length > 0 || key === null) return inside
  const items: Item[] = []
  for (let startIndex = 1; items.length < 20_000;) {
    const ask = { path: `${path}(${literal(key)})/items`, query: { startIndex, count: 500 } }
    const json = await attempt(session, ask, options)
    const rows = json === null ? [] : readFeed(json, false).rows
    if (rows.length === 0) break
    items.push(...rows.map(toItem))
    startIndex += rows.length
  }
  return items
}

const toTexts = (items: Item[], storage: 'code' | 'id'): Map<string, string> =>
  new Map(items.flatMap((item) => (item[storage] !== null && item.text !== null ? [[item[storage], item.text]] : [])))

const readPicklist = async (
  session: Session,
  name: string,
  storage: 'code' | 'id',
  options: CallOptions,
): Promise<Map<string, string> | null> => {
  try {
    return toTexts(await readItems(session, name, options), storage)
  } catch (error) {
    if (isFairleadError(error) && (error.code === 'crmFailed' || error.code === 'crmAnswer')) return null
    throw error
  }
}

/** The items of a picklist as people see them, each once, in the CRM's order; none where the CRM does not have it. */
export const readChoices = async (session: Session, name: string, options: CallOptions): Promise<string[]> => {
  await session.ready(options)
  const items = await readItems(session, name, options)
  return [...new Set(items.flatMap(({ text }) => (text === null || text.trim() === '' ? [] : [text.trim()])))]
}

export type Texts = {
  /** stored → text, by field */
  byField: Map<string, Map<string, string>>
  /** fields whose picklist the CRM fails to deliver: codes must not pass for texts, so they are left out */
  unknown: Set<string>
}

/** For fields that store codes or ids of a picklist, what these stand for (R8). A picklist that the CRM does not have leaves values as they are. */
export const readTexts = async (session: Session, fields: CrmField[], options: CallOptions): Promise<Texts> => {
  const texts: Texts = { byField: new Map(), unknown: new Set() }
  for (const { name, picklist, picklistStorage } of fields) {
    if (picklist === null || picklistStorage === null || picklistStorage === 'text') continue
    const read = () => readPicklist(session, picklist, picklistStorage, options)
    const found = await session.memory.picklists.get(`${picklistStorage} ${picklist}`, read)
    if (found) texts.byField.set(name, found)
    else texts.unknown.add(name)
  }
  return texts
}

const inverted = new WeakMap<Map<string, string>, Map<string, string>>()

/** text → stored; also by the text in lower case, where several differ in case only the first one's */
const invert = (texts: Map<string, string>): Map<string, string> => {
  const known = inverted.get(texts)
  if (known) return known
  const exact = new Map<string, string>()
  const folded = new Map<string, string>()
  for (const [form, text] of texts) {
    if (!exact.has(text)) exact.set(text, form)
    const lower = text.trim().toLowerCase()
    if (!folded.has(lower)) folded.set(lower, form)
  }
  const stored = new Map([...folded, ...exact])
  inverted.set(texts, stored)
  return stored
}

/** The text of a picklist in the form in which entities store it, of several in one field each; what is no item goes as it is. */
export const toStored = (texts: Map<string, string>, value: string): string => {
  const stored = invert(texts)
  const find = (text: string): string | undefined => stored.get(text) ?? stored.get(text.trim().toLowerCase())
  const whole = find(value)
  if (whole !== undefined || !value.includes(',')) return whole ?? value
  const parts = value.split(',').map(find)
  return parts.every((part) => part !== undefined) ? parts.join(', ') : value
}

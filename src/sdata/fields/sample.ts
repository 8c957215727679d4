import type { CallOptions, CrmEntity, FieldType } from '../../domain/crm.ts'
import { member, type Row } from '../paging/feed.ts'
import { halves } from '../paging/halves.ts'
import { isRefusal, spellOut, type Described } from './metadata.ts'
import { isSecretField } from '../../domain/field.ts'
import { askFeed, withKnownFields, type Session } from '../session.ts'
import { usualNames } from './standard.ts'
import { readInstant } from '../values/time.ts'

const guessType = (name: string, value: unknown): FieldType => {
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value === 'number') return 'number'
  if (/birthday/i.test(name)) return 'date'
  if (typeof value === 'string' && /^(\/Date\(|\d{4}-\d\d-\d\dT)/.test(value)) return 'instant'
  if (/^(Is|Has|DoNot|Use)[A-Z]/.test(name)) return 'boolean'
  if (/e-?mail\d?$/i.test(name)) return 'email'
  if (/(phone|mobile|fax|tollfree|pager)$/i.test(name)) return 'phone'
  return name.endsWith('Date') ? 'instant' : 'text'
}

const systemName = /^(Id|(Create|Modify)(Date|User))$/i

const describe = (name: string, value: unknown, readOnly: boolean): Described => ({
  name,
  label: spellOut(name),
  type: guessType(name, value),
  maxLength: null,
  picklist: null,
  picklistStorage: null,
  readOnly: readOnly || systemName.test(name),
  required: false,
})

const plainNames = (row: Row): string[] =>
  Object.keys(row).filter((name) => !name.startsWith('$') && (typeof row[name] !== 'object' || row[name] === null))

const orNull = async <Result>(read: () => Promise<Result>): Promise<Result | null> => {
  try {
    return await read()
  } catch (error) {
    if (isRefusal(error)) return null
    throw error
  }
}

/** The properties among `described` that the feed knows, found out by selecting them: for feeds that describe themselves nowhere. */
export const keepKnown = async (
  session: Session,
  entity: CrmEntity,
  described: Described[],
  options: CallOptions,
): Promise<{ known: Described[]; row: Row | null }> => {
  const wanted = described.filter(({ name, type }) => type !== null && !isSecretField(name))
  if (wanted.length > 100) {
    const [first, rest] = halves(wanted)
    const [a, b] = [await keepKnown(session, entity, first, options), await keepKnown(session, entity, rest, options)]
    return { known: [...a.known, ...b.known], row: a.row && b.row ? { ...a.row, ...b.row } : null }
  }
  const answer = await orNull(() =>
    withKnownFields(session, entity, wanted, async (known) => {
      const select = ['Id', ...known.map(({ name }) => name)]
      const { rows } = await askFeed(session, session.path(entity), { select, orderBy: 'Id', count: 1 }, options)
      return { known, row: rows[0] ?? null }
    }),
  )
  return answer ?? { known: described, row: null }
}

/** The last resort (9.4): names from `$template`, else the usual ones, types from one person's values. What a template lacks cannot be written. */
export const guessFields = async (session: Session, entity: CrmEntity, options: CallOptions): Promise<Described[]> => {
  const json = await orNull(
    async () => (await session.client.ask({ path: `${session.path(entity)}/$template` }, options)).json,
  )
  const template = typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Row) : null
  const names = new Set([...(template ? plainNames(template) : []), ...usualNames[entity]])
  const guessed = [...names].map((name) => describe(name, template?.[name], false))
  const { known, row } = await keepKnown(session, entity, guessed, options)
  return known.map(({ name }) =>
    describe(
      name,
      (row && member(row, name)) ?? template?.[name],
      template !== null && member(template, name) === undefined,
    ),
  )
}

/** An address's properties from the first people who have one; null where there is none to see. */
export const guessAddress = (session: Session, entity: CrmEntity, options: CallOptions): Promise<Described[] | null> =>
  orNull(async () => {
    const query = { select: ['Id', 'Address/*'], orderBy: 'Id', count: 10 }
    const { rows } = await askFeed(session, session.path(entity), query, options)
    for (const row of rows) {
      const address = member(row, 'Address')
      const names = typeof address === 'object' && address !== null ? plainNames(address as Row) : []
      if (names.length > 0) return names.map((name) => describe(name, (address as Row)[name], false))
    }
    return null
  })

/**
 * Where no metadata tells dates without time from instants: a date-time property of which every value of 200 people carries the CRM's mark of
 * timelessness (00:00:05 UTC, sdata.md 7) holds dates.
 */
export const findDates = async (
  session: Session,
  path: string,
  described: Described[],
  options: CallOptions,
): Promise<Described[]> => {
  const unsure = described.filter(({ name, type }) => type === 'instant' && !systemName.test(name)).slice(0, 50)
  if (unsure.length === 0) return described
  const select = ['Id', ...unsure.map(({ name }) => name)]
  const feed = await orNull(() => askFeed(session, path, { select, orderBy: 'Id', count: 200 }, options))
  const isDate = ({ name }: Described): boolean => {
    const values = (feed?.rows ?? [])
      .map((row) => readInstant(member(row, name)))
      .filter((value) => typeof value === 'string')
    return values.length > 0 && values.every((value) => value.length === 10 || value.endsWith('T00:00:05.000Z'))
  }
  return described.map((property) =>
    unsure.includes(property) && isDate(property) ? { ...property, type: 'date' } : property,
  )
}

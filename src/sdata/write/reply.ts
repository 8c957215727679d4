import type { CallOptions, CrmEntity, CrmField, CrmFound } from '../../domain/crm.ts'
import { isRow, keyOf, type Row } from '../paging/feed.ts'
import { namesOf, toFound, visible } from '../person.ts'
import type { Session } from '../session.ts'
import { readTexts } from '../values/picklist.ts'
import { createPlan } from '../values/plan.ts'

/** Reads what a write answers by the same plan as what is read otherwise. */
export type ReplyReader = {
  /** names to ask for in the reply */
  select: string[]
  /** null when the reply holds no entity. `complete`: with every field that can be read */
  read(json: unknown): { found: CrmFound; complete: boolean } | null
}

const entityIn = (json: unknown): Row | null => {
  if (!isRow(json)) return null
  const list = json['$resources']
  const row: unknown = Array.isArray(list) ? list[0] : json
  return isRow(row) && typeof row['$key'] === 'string' ? row : null
}

/** Everything that reading needs is fetched before the write, so that nothing can fail once it is done. */
export const createReplyReader = async (
  session: Session,
  entity: CrmEntity,
  fields: CrmField[],
  options: CallOptions,
): Promise<ReplyReader> => {
  const missing = session.memory.missing[entity]
  const seen = (await visible(session, entity, fields, options)).filter(
    ({ name }) => (missing.get(name) ?? 0) < Date.now(),
  )
  const texts = await readTexts(session, seen, options)
  const readable = seen.filter(({ name }) => !texts.unknown.has(name))
  return {
    select: namesOf(seen),
    read(json) {
      const row = entityIn(json)
      if (row === null) return null
      const values = createPlan(readable, texts.byField).read(row)
      const [found] = toFound([{ id: keyOf(row), values }], [row])
      return { found: found!, complete: readable.every(({ name }) => name in values) }
    },
  }
}

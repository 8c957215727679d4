import type { CrmEntity } from '../../src/domain/crm.ts'
import { parseValues } from '../../src/domain/values.ts'
import type { Fairlead } from './fairlead.ts'

type Value = string | number | boolean | null | undefined

const timeless = /T00:00:05\.000Z$/

/**
 * How a CRM value must look on a list (R8): blank text is null, text is well-formed and without NUL, a date without time is its day, everything
 * else as it is.
 */
const expected = (value: unknown, type: string): Value => {
  if (type === 'date' && typeof value === 'string') return value.replace(timeless, '')
  if (typeof value === 'string') {
    const text = value.replaceAll('\u0000', '').toWellFormed()
    return text.trim() === '' ? null : text
  }
  return (value ?? null) as Value
}

/** A person's value by its path, as the simulator keeps it. */
export const valueAt = (person: Record<string, unknown>, path: string): unknown =>
  path
    .split('/')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | null | undefined)?.[name], person)

const numeric = (value: Value): value is string | number => /^-?\d+(\.\d+)?$/.test(String(value ?? ''))

/** 86814.90 and 86814.9 are one number; digits beyond a double's stay. */
const decimal = (value: string | number): string =>
  String(value)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')

const same = (ours: Value, theirs: Value): boolean =>
  ours === theirs ||
  (typeof ours === 'string' && typeof theirs === 'string' && ours.trim() === theirs.trim()) ||
  (ours ?? null) === (theirs ?? null) ||
  (numeric(ours) && numeric(theirs) && decimal(ours) === decimal(theirs))

/** Whether a record holds what the simulator keeps for the person (R8). */
export const sameInCrm = (ours: unknown, theirs: unknown, type: string): boolean => {
  const own = typeof ours === 'object' && ours !== null ? (ours as { bigDecimal: string }).bigDecimal : ours
  return same(own as Value, expected(theirs, type))
}

/**
 * Compares a list with the simulator's own truth, record by record and field by field. Answers one line per difference: ids missing or
 * extra here, ids twice, and values that differ. Records known to be deleted in the CRM are left out on both sides.
 */
export const differences = async (
  fairlead: Pick<Fairlead, 'db' | 'simulator'>,
  listId: string,
  entity: CrmEntity,
): Promise<string[]> => {
  const sql = fairlead.db.$client
  const columns = await sql<{ key: string; crmField: string; type: string }[]>`
    select key, crm_field as "crmField", type from columns where list_id = ${listId} and crm_field is not null and stale_at is null`
  const rows = await sql<{ crmId: string; fields: string }[]>`
    select r.crm_id as "crmId", r.fields::text as fields from records r
    where r.list_id = ${listId} and r.crm_id is not null and not exists (select from crm_people p where p.crm_id = r.crm_id and p.entity = r.crm_entity)`
  const problems: string[] = []
  const ours = new Map<string, Record<string, Value>>()
  for (const { crmId, fields } of rows) {
    if (ours.has(crmId)) problems.push(`${crmId} is there twice`)
    ours.set(crmId, parseValues(fields))
  }
  let after: string | undefined
  do {
    const page = fairlead.simulator.control.people({ entity, after: after ?? null, count: 5000 } as never)
    for (const person of page.items as Record<string, unknown>[]) {
      const id = String(person['Id'] ?? person['$key']).trim()
      const record = ours.get(id)
      ours.delete(id)
      if (record === undefined) {
        problems.push(`${id} is missing here`)
        continue
      }
      for (const { key, crmField, type } of columns) {
        const theirs = expected(valueAt(person, crmField), type)
        if (!same(record[key], theirs))
          problems.push(`${id} ${crmField}: ${JSON.stringify(record[key])} instead of ${JSON.stringify(theirs)}`)
      }
    }
    after = page.next ?? undefined
  } while (after !== undefined)
  for (const id of ours.keys()) problems.push(`${id} is not in the CRM`)
  return problems
}

import type { FormDefinition, FormPolicy } from '../../domain/form/definition.ts'
import type { Answers } from '../../domain/form/submission.ts'
import { valuesOf, type Values } from '../../domain/form/values.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { isBlank } from '../../domain/values.ts'
import * as columnRows from '../column.ts'
import type { Column } from '../column.ts'
import type { Database, Sql } from '../database.ts'
import * as edits from '../edit.ts'
import { emailHexOf } from '../emailKey.ts'
import { erasedAmong } from '../erasure/known.ts'
import { liftErasures } from '../erasure/lift.ts'
import { upsertIn, type BulkOptions } from '../record/bulk.ts'
import { addToCount, inTransaction, lockList, scopeOf, type Scope } from '../record/edit.ts'
import type { SecretBox } from '../secret.ts'
import { keepLate } from '../sync/late.ts'
import type { CrmEntity } from '../../domain/crm.ts'

/** `isOwn`: sent from the public page, not by a program */
type Given = {
  id: string
  isOwn: boolean
  listId: string
  removed: boolean
  answers: Answers
  definition: FormDefinition
}
type Taken = { id: string; recordId: string | null; state: string; code: string | null; warnings: EntryWarning[] }
type Row = Given & { values: Values; warnings: EntryWarning[]; email: string }

const onMatch: Record<FormPolicy, BulkOptions['onMatch']> = {
  overwrite: 'update',
  blanksOnly: 'fill',
  createOnly: 'skip',
}

/** Runs of neighbours in which no address comes twice and one policy holds: each is one statement, and the order of all is kept. */
const waves = (rows: readonly Row[]): Row[][] => {
  const found: Row[][] = []
  let known = new Set<string>()
  for (const row of rows) {
    const last = found.at(-1)
    const joins = last?.[0]!.definition.policy === row.definition.policy && !known.has(row.email)
    if (last !== undefined && joins) last.push(row)
    else {
      found.push([row])
      known = new Set()
    }
    if (row.email !== '') known.add(row.email)
  }
  return found
}

/** Somebody who fills in a form wants to be on its list again: the record of that address which was removed last comes back, unless there is another. */
const restoreRemoved = async (sql: Sql, scope: Scope, rows: readonly Row[]): Promise<void> => {
  const emails = rows.flatMap(({ email }) => (email === '' ? [] : [email]))
  if (emails.length === 0) return
  const back = await sql<{ id: string; entity: CrmEntity | null; crmId: string | null }[]>`
    update records t set removed_at = null, version = t.version + 1, updated_at = now()
    from (select distinct on (r.email_key) r.id from records r
      where r.list_id = ${scope.listId}::uuid and r.removed_at is not null and r.merged_into is null
        and r.email_key = any(array(select decode(x, 'hex') from unnest(string_to_array(${emails.join('\n')}::text, E'\n')) x))
        and not exists (select from records o where o.list_id = r.list_id and o.email_key = r.email_key and o.removed_at is null)
      order by r.email_key, r.removed_at desc) x
    where t.id = x.id returning t.id::text, t.crm_entity as entity, t.crm_id as "crmId"`
  for (const { entity, crmId } of back)
    if (entity !== null && crmId !== null) await keepLate(sql, scope, entity, [crmId])
  await addToCount(sql, scope, back.length)
  await edits.insert(
    sql,
    scope,
    back.map(({ id }) => ({ recordId: id, kind: 'restored' as const })),
  )
}

/** R40: whoever fills in a form comes back by it. What a program says of erased people is emptied; answers which that is. */
const meetErased = async (sql: Sql, accountId: string, rows: readonly Row[]): Promise<Row[]> => {
  const erased = await erasedAmong(
    sql,
    accountId,
    rows.map(({ email }) => email),
  )
  if (erased.size === 0) return []
  const back = new Set(rows.filter(({ isOwn, email }) => isOwn && erased.has(email)).map(({ email }) => email))
  await liftErasures(sql, accountId, [...back])
  const refused = rows.filter(({ email }) => erased.has(email) && !back.has(email))
  await sql`
    update submissions set answers = '{}', email_key = null, language = null
    where id = any(string_to_array(${refused.map(({ id }) => id).join('\n')}::text, E'\n')::uuid[])`
  return refused
}

type Opened = { columns: Column[]; scope: Scope }

const fillList = async (sql: Sql, { columns, scope }: Opened, given: Given[]): Promise<Taken[]> => {
  if (given[0]!.removed)
    return given.map(({ id }) => ({ id, recordId: null, state: 'rejected', code: 'listRemoved', warnings: [] }))
  await lockList(sql, scope)
  const rows = given.map((each): Row => {
    const { values, warnings } = valuesOf(each.definition, each.answers, columns)
    return { ...each, values, warnings, email: emailHexOf(scope.hashKey, values[emailKeyColumn]) }
  })
  const erased = await meetErased(sql, scope.accountId, rows)
  const welcome = rows.filter((row) => !erased.includes(row))
  await restoreRemoved(sql, scope, welcome)
  const taken = erased.map(({ id }): Taken => ({ id, recordId: null, state: 'rejected', code: 'erased', warnings: [] }))
  for (const wave of waves(welcome)) {
    const records = wave.map(({ id, values }) => ({ values, submissionId: id }))
    const policy = onMatch[wave[0]!.definition.policy]
    const results = await upsertIn(sql, scope, records, { match: 'email', onMatch: policy })
    for (const [index, { id, definition, warnings, values }] of wave.entries()) {
      const settled = { id, recordId: results[index]!.id, warnings }
      if (!definition.push) taken.push({ ...settled, state: 'stored', code: null })
      else if (isBlank(values[emailKeyColumn])) taken.push({ ...settled, state: 'rejected', code: 'noEmail' })
      else taken.push({ ...settled, state: 'received', code: null })
    }
  }
  return taken
}

/** On no list yet. */
const isUntaken = (sql: Sql, accountId: string) => sql`
  s.account_id = ${accountId}::uuid and s.record_id is null and s.state in ('received', 'pushing', 'waiting', 'held')`

/** Whether something has come that is on no list yet. */
export const isWaiting = async (db: Database, accountId: string): Promise<boolean> => {
  const [found] = await db.$client`select from submissions s where ${isUntaken(db.$client, accountId)} limit 1`
  return found !== undefined
}

/** The lists of the next ones. Before the transaction, which asks for no second connection: others may hold them all and wait for it. */
const openLists = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  limit: number,
): Promise<Map<string, Opened>> => {
  const sql = db.$client
  const rows = await sql<{ listId: string }[]>`
    select distinct list_id::text as "listId" from (
      select f.list_id from submissions s join forms f on f.id = s.form_id where ${isUntaken(sql, accountId)} order by s.id limit ${limit}) n order by 1`
  const opened = new Map<string, Opened>()
  for (const { listId } of rows) {
    const columns = await columnRows.all(db, accountId, listId)
    opened.set(listId, { columns, scope: await scopeOf(db, secrets, { accountId, listId }, columns) })
  }
  return opened
}

/**
 * The first step of every submission, whatever the CRM does: the record of the form's list is added or updated by the policy, in the order of arrival. One
 * transaction at a time for each account. Those of forms that do not push are `stored` with it. Answers how many.
 */
export const takeIn = async (db: Database, secrets: SecretBox, accountId: string, limit: number): Promise<number> => {
  const lists = await openLists(db, secrets, accountId, limit)
  if (lists.size === 0) return 0
  return inTransaction(db, accountId, async (sql) => {
    await sql`select pg_advisory_xact_lock(hashtextextended(${`submissions:${accountId}`}::text, 0))`
    const given = await sql<Given[]>`
      select s.id::text, s.api_key_id is null as "isOwn", f.list_id::text as "listId", l.removed_at is not null as removed, s.answers, v.definition
      from submissions s join forms f on f.id = s.form_id join lists l on l.id = f.list_id
        join form_versions v on v.form_id = s.form_id and v.version = s.version
      where ${isUntaken(sql, accountId)} and f.list_id = any(string_to_array(${[...lists.keys()].join('\n')}::text, E'\n')::uuid[])
      order by s.id limit ${limit} for update of s`
    const taken: Taken[] = []
    for (const [listId, opened] of lists) {
      const own = given.filter((each) => each.listId === listId)
      if (own.length > 0) taken.push(...(await fillList(sql, opened, own)))
    }
    const rows = taken.map(({ recordId, ...row }) => ({ ...row, record_id: recordId }))
    if (rows.length > 0)
      await sql`
        update submissions s set record_id = u.record_id, state = u.state, code = u.code, warnings = u.warnings,
          settled_at = case when u.state in ('stored', 'rejected') then now() end
        from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as u (id uuid, record_id uuid, state text, code text, warnings jsonb)
        where s.id = u.id`
    return taken.length
  })
}

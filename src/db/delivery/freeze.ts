import { eq } from 'drizzle-orm'
import type { MessageDefinition } from '../../domain/message.ts'
import type { Database, Sql } from '../database.ts'
import { holdErasures } from '../erasure/known.ts'
import type { Run } from '../run/state.ts'
import { messages } from '../schema.ts'
import type { SecretBox } from '../secret.ts'
import { openAudience, type Fragment } from './audience.ts'
import { definitionOf } from './job.ts'

type Frozen = { total: number; skipped: number }

const erasuresOf = async (sql: Sql, accountId: string): Promise<number> => {
  const [found] = await sql<[{ count: number }]>`
    select count(*)::int as count from erasures where account_id = ${accountId}::uuid`
  return found.count
}

/** People who were erased since the audience was looked up, which took no notice of them: their records are gone, and what stands of them here goes, too. */
const forgetErased = async (sql: Sql, { id: runId, messageId }: Run): Promise<void> => {
  await sql`
    with gone as (
      update deliveries d set email = null, record_id = null, crm_entity = null, crm_id = null, erased_at = now()
      from deliveries o left join records r on r.id = o.record_id
      where d.id = o.id and o.message_id = ${messageId}::uuid and o.run_id = ${runId}::uuid and r.id is null
      returning o.record_id)
    update entries e set record_id = null, email_key = null, crm_entity = null, crm_id = null
    from gone where e.last_run_id = ${runId}::uuid and e.record_id = gone.record_id`
}

const fill = async (sql: Sql, run: Run, version: number, everybody: Fragment, signal: AbortSignal): Promise<Frozen> => {
  const { accountId, id: runId, messageId } = run
  const before = await erasuresOf(sql, accountId)
  const query = sql<[Frozen]>`
    with made as (
      insert into deliveries (account_id, message_id, version, run_id, list_id, record_id, crm_entity, crm_id, email_key, email, state, code)
      select ${accountId}::uuid, ${messageId}::uuid, ${version}, ${runId}::uuid, a.list_id, a.record_id, a.crm_entity, a.crm_id, a.email_key, a.email,
        case when a.skip is null then 'waiting' else 'skipped' end, a.skip
      from (${everybody}) a
      returning id, state, code, record_id, crm_entity, crm_id, email_key),
    listed as (
      insert into entries (account_id, first_run_id, last_run_id, phase, kind, code, record_id, crm_entity, crm_id, email_key)
      select ${accountId}::uuid, ${runId}::uuid, ${runId}::uuid, 'send', 'skipped', code, record_id, crm_entity, crm_id, email_key
      from made where state = 'skipped')
    select count(*)::int as total, count(*) filter (where state = 'skipped')::int as skipped from made`
  const cancel = (): void => query.cancel()
  signal.addEventListener('abort', cancel)
  try {
    const [frozen] = await query
    // only now, so that an erasure does not wait for a million people
    await holdErasures(sql, accountId)
    if ((await erasuresOf(sql, accountId)) !== before) await forgetErased(sql, run)
    return frozen
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

type Freezing = { check: (definition: MessageDefinition) => Promise<void>; signal: AbortSignal }

/** Mails that a run goes on with were given to it when it was asked for. */
const goOn = async (sql: Sql, { id: runId, messageId }: Run): Promise<Frozen> => {
  const [found] = await sql<[{ total: number }]>`
    select count(*)::int as total from deliveries where message_id = ${messageId}::uuid and run_id = ${runId}::uuid`
  return { ...found, skipped: 0 }
}

/**
 * Freezes the audience of a message, once: who it is, and by which version, is that of one moment, whatever becomes of lists and records while it is sent.
 * Its version is fixed first; then it is one statement and one transaction, so that a crash leaves all of it or nothing; a million records need no memory here.
 * Erasures go on meanwhile. `check` throws where the very version is not to be sent; `signal` ends it, with nothing frozen.
 */
export const freeze = async (db: Database, secrets: SecretBox, run: Run, freezing: Freezing): Promise<void> => {
  // a message may still be changed while it is looked at
  while (!(await freezeAs(db, secrets, run, await versionOf(db, run), freezing))) continue
}

const versionOf = async (db: Database, { messageId, settings }: Run): Promise<number> => {
  const [found] = await db.select({ version: messages.version }).from(messages).where(eq(messages.id, messageId!))
  return settings.message?.version ?? found!.version
}

/** False where the message has another version by now. */
const freezeAs = async (
  db: Database,
  secrets: SecretBox,
  run: Run,
  version: number,
  { check, signal }: Freezing,
): Promise<boolean> => {
  const { id: runId, messageId, accountId } = run
  const goesOn = run.settings.message?.goesOn === true
  const definition = await definitionOf(db, messageId!, version)
  await check(definition)
  const audienceOf = goesOn ? null : await openAudience(db, secrets, accountId, definition.audience)
  if (!(await fix(db, run, version))) return false
  await db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const [lane] = await sql<{ cursor: string | null }[]>`
      select cursor from lanes where run_id = ${runId}::uuid and phase = 'send' for update`
    if (lane === undefined || lane.cursor !== null) return
    await sql`set local enable_nestloop = off`
    await sql`set local work_mem = '64MB'`
    const frozen = audienceOf === null ? await goOn(sql, run) : await fill(sql, run, version, audienceOf(sql), signal)
    await sql`
      update lanes set cursor = 'frozen', read = read + ${frozen.skipped}, skipped = skipped + ${frozen.skipped} where run_id = ${runId}::uuid and phase = 'send'`
    await sql`update runs set total = ${frozen.total} where id = ${runId}::uuid`
  })
  return true
}

/** From here on the message cannot be changed. Before its audience, which takes minutes with a million people: nobody waits for that who looks at the message. */
const fix = async (
  db: Database,
  { id: runId, messageId, accountId, settings }: Run,
  version: number,
): Promise<boolean> =>
  (await db.$client.begin(async (sql) => {
    const [message] = await sql<{ version: number }[]>`
      select version from messages where account_id = ${accountId}::uuid and id = ${messageId}::uuid for no key update`
    if (settings.message?.version === undefined && message?.version !== version) return false
    const fixed = { ...settings, message: { ...settings.message, version } }
    await sql`update runs set settings = ${JSON.stringify(fixed)}::text::jsonb where id = ${runId}::uuid`
    await sql`update messages set state = 'sending', updated_at = now() where id = ${messageId}::uuid`
    return true
  })) as boolean

/** Waits for whoever freezes the audience of a run, and lets nobody begin: a run may be cancelled while it does. */
export const endFreezing = async (db: Database, runId: string): Promise<void> => {
  await db.$client`
    update lanes set cursor = coalesce(cursor, 'closed') where run_id = ${runId}::uuid and phase = 'send'`
}

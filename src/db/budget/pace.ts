import type { Sql } from '../database.ts'

export type Outcome = { ms: number; ok: boolean; pause?: number | null }
type Of = { accountId: string; connectionId: string }

/** An answer this many times slower than usual, and slower by this much, counts as slow. */
const slowFactor = 4
const slowMs = 500
/** After a refusal one request at a time for so long: whoever was refused asks again meanwhile, and finds out whether that is why. */
const aloneSeconds = 5

/**
 * AIMD (R26): trouble (429, 503, time-outs) halves what is allowed, at most once a second; slow answers take one away; a good
 * stretch gives one back. What the CRM asks for by Retry-After pauses everybody.
 */
export const adapt = async (sql: Sql, { accountId, connectionId }: Of, outcomes: Outcome[]): Promise<void> => {
  const trouble = outcomes.some((each) => !each.ok)
  const pause = Math.max(0, ...outcomes.map((each) => each.pause ?? 0))
  const usual = outcomes.reduce((sum, each) => sum + each.ms, 0) / outcomes.length
  await sql`
    insert into paces as p (account_id, connection_id, allowed, usual_ms, pause_until, changed_at)
    select ${accountId}::uuid, ${connectionId}::uuid, case when ${trouble} then greatest(1, concurrency / 2.0) else concurrency end, ${usual}::real,
      case when ${pause}::float > 0 then now() + make_interval(secs => ${pause / 1000}) end,
      case when ${trouble} then now() else now() - interval '1 second' end
    from connections where id = ${connectionId}
    on conflict (connection_id) do update set
      allowed = case
        when ${trouble} then case when p.changed_at < now() - interval '1 second' then greatest(1, p.allowed / 2) else p.allowed end
        when ${usual}::real > p.usual_ms * ${slowFactor}::real + ${slowMs}::real then greatest(1, p.allowed - 1)
        when p.refusals > 0 and p.changed_at > now() - make_interval(secs => ${aloneSeconds}) then p.allowed
        else least(p.allowed + 1, (select concurrency from connections where id = ${connectionId})) end,
      usual_ms = coalesce(p.usual_ms * 0.95 + ${usual}::real * 0.05, ${usual}::real),
      pause_until = case when ${pause}::float > 0 then greatest(p.pause_until, now() + make_interval(secs => ${pause / 1000})) else p.pause_until end,
      changed_at = case when ${trouble} and p.changed_at < now() - interval '1 second' then now() else p.changed_at end`
}

/**
 * R21: an accepted login whose requests are refused may meet a server that allows one session at a time. First the pace becomes one
 * request at a time; when that helps and the refusals come back later, the limit itself. `false`: the refused work, which began `elapsedMs` ago,
 * went on at one request at a time all along, so the refusals are about something else, and those that were counted are forgotten.
 */
export const slowToOne = async (
  sql: Sql,
  { accountId, connectionId }: Of,
  elapsedMs: number,
): Promise<'slowed' | 'limited' | false> => {
  const began = sql`now() - make_interval(secs => ${elapsedMs / 1000})`
  const [row] = await sql<[{ refusals: number; alone: boolean | null }]>`
    insert into paces as p (account_id, connection_id, allowed, refusals) values (${accountId}, ${connectionId}, 1, 1)
    on conflict (connection_id) do update set
      allowed = 1,
      refusals = case when p.changed_at < now() - interval '10 minutes' then 1 when p.allowed >= 2 then p.refusals + 1 when p.changed_at < ${began} then 0 else p.refusals end,
      changed_at = case when p.allowed >= 2 then now() else p.changed_at end
    returning refusals, old.allowed < 2 and old.changed_at < ${began} as alone`
  if (row.alone === true) return false
  if (row.refusals < 3) return 'slowed'
  await sql`update connections set concurrency = 1 where id = ${connectionId}`
  // one in use stays until its lease is over: who has it must be seen
  await sql`
    delete from slots where connection_id = ${connectionId} and slot > 1 and (lease_until is null or lease_until < now())`
  return 'limited'
}

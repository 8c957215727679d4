import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../database.ts'

export type Lease = { slot: number; fence: number }
type Waiter = { accountId: string; connectionId: string; holder: string; interactive: boolean; leaseMs: number }

/** A waiter that does not ask again for this long is taken to be dead. */
const waiterMs = 3000

/**
 * Takes a free slot unless earlier or more urgent waiters would have it, else answers undefined. A slot's lease outlives every
 * request made in it, so a dead worker's slot is granted again only after the request time-out (R26).
 */
export const take = async (sql: Sql, waiter: Waiter): Promise<Lease | undefined> => {
  const { connectionId, holder, interactive, leaseMs } = waiter
  const [lease] = await sql<Lease[]>`
    with pace as (
      select case when exists (select from connections where id = ${connectionId} and checking_until > now()) then 1
        else coalesce((select allowed from paces where connection_id = ${connectionId}), 1000) end as allowed
      where not exists (select from paces where connection_id = ${connectionId} and pause_until > now())),
    ahead as (
      select count(*) as n from waiters w
      where w.connection_id = ${connectionId} and w.lease_until > now() and w.holder <> ${holder}
        and (w.interactive and not ${interactive} or w.interactive = ${interactive}
          and w.ticket < coalesce((select ticket from waiters where holder = ${holder}), 9223372036854775807))),
    free as (
      select count(*) as n from slots s, pace
      where s.connection_id = ${connectionId} and (s.lease_until is null or s.lease_until < now()) and s.slot <= greatest(1, floor(pace.allowed)))
    update slots set holder = ${holder}, fence = fence + 1, lease_until = now() + make_interval(secs => ${leaseMs / 1000})
    where connection_id = ${connectionId} and slot = (
      select s.slot from slots s, pace
      where s.connection_id = ${connectionId} and (s.lease_until is null or s.lease_until < now()) and s.slot <= greatest(1, floor(pace.allowed))
        and (select n from ahead) < (select n from free)
      order by s.slot limit 1 for update of s skip locked)
    returning slot, fence::int`
  return lease
}

/**
 * calm: nothing asks for a slower pace, and no more slots are in use than it allows: work that goes first may go on with the slot of other work. quiet:
 * calm, and nobody waits for a slot: who has one may go on with it.
 */
export const lookAround = async (sql: Sql, connectionId: string): Promise<{ calm: boolean; quiet: boolean }> => {
  const [row] = await sql<[{ waits: boolean; calm: boolean }]>`
    select exists (select from waiters where connection_id = ${connectionId} and lease_until > now()) as waits,
      not exists (select from connections where id = ${connectionId} and checking_until > now())
      and not exists (select from paces where connection_id = ${connectionId} and (pause_until > now()
        or greatest(1, floor(allowed)) < (select count(*) from slots where connection_id = ${connectionId} and lease_until > now()))) as calm`
  return { calm: row.calm, quiet: row.calm && !row.waits }
}

/** Stands in line, or stays there. */
export const wait = async (sql: Sql, { accountId, connectionId, holder, interactive }: Waiter): Promise<void> => {
  await sql`
    insert into waiters (account_id, connection_id, holder, interactive, lease_until)
    values (${accountId}, ${connectionId}, ${holder}, ${interactive}, now() + make_interval(secs => ${waiterMs / 1000}))
    on conflict (holder) do update set lease_until = excluded.lease_until`
}

export const leave = async (sql: Sql, holder: string): Promise<void> => {
  await sql`delete from waiters where holder = ${holder} or lease_until < now() - interval '1 minute'`
}

export const release = async (sql: Sql, connectionId: string, holder: string, lease: Lease): Promise<void> => {
  await sql`
    update slots set holder = null, lease_until = null
    where connection_id = ${connectionId} and slot = ${lease.slot} and fence = ${lease.fence} and holder = ${holder}`
}

/**
 * Waits until nothing but slot 1 is in use. Whoever checks the login of a connection (`connections.checking_until`) gets there, since no other slot
 * is granted meanwhile: a server that allows one session at a time refuses right passwords too.
 */
export const untilAlone = async (sql: Sql, connectionId: string, signal: AbortSignal): Promise<void> => {
  const busy = () => sql`
    select from slots where connection_id = ${connectionId} and slot > 1 and lease_until > now() limit 1`
  for (let pause = 10; (await busy()).length > 0; pause = Math.min(pause * 1.5, 200))
    await sleep(pause, undefined, { signal })
}

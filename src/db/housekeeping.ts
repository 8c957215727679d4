import type { Database } from './database.ts'

const batch = 10_000

/** Deletes in batches, so that no lock is held for long. */
const drain = async (remove: () => Promise<number>): Promise<number> => {
  let total = 0
  for (let gone = batch; gone === batch; total += gone) gone = await remove()
  return total
}

const removeOlder = (db: Database, table: 'entries' | 'edits', days: number): Promise<number> =>
  drain(async () => {
    const rows = db.$client(table)
    const gone = await db.$client`
      delete from ${rows} where id in (select id from ${rows} where at < now() - make_interval(days => ${days}) limit ${batch}) returning 1`
    return gone.length
  })

export const removeEntries = (db: Database, days: number): Promise<number> => removeOlder(db, 'entries', days)

export const removeEdits = (db: Database, days: number): Promise<number> => removeOlder(db, 'edits', days)

/** Those of previews that ended so long ago, unless they are being applied; the runs stay. Older ones than a hundred days have none left. */
export const removePreviews = (db: Database, days: number): Promise<number> =>
  drain(async () => {
    const gone = await db.$client`
      delete from entries where id in (
        select e.id from runs r join entries e on e.last_run_id = r.id
        where r.kind = 'preview' and r.finished_at < now() - make_interval(days => ${days}) and r.finished_at > now() - interval '100 days'
          and not exists (select from runs a where a.list_id = r.list_id and a.state in ('queued', 'running', 'held')
            and a.settings->'source'->>'runId' = r.id::text)
        limit ${batch}) returning 1`
    return gone.length
  })

/** Those of lists that were removed so long ago, with what was parked and asked of them. Looks into each such list by itself: hardly any record is affected, and a join would read them all. */
export const removeRecords = (db: Database, days: number): Promise<number> =>
  drain(async () => {
    const gone = await db.$client`
      with gone as (
        delete from records where id in (
          select r.id from lists l cross join lateral (select id from records where list_id = l.id limit ${batch}) r
          where l.removed_at < now() - make_interval(days => ${days}) limit ${batch}) returning id),
      parked as (delete from parked_records where record_id in (select id from gone)),
      asked as (delete from decisions where record_id in (select id from gone))
      select from gone`
    return gone.length
  })

/** R33: what was sent, of previews that have expired. Those that expired more than a hundred days ago have none left. */
export const removeContents = (db: Database): Promise<number> =>
  drain(async () => {
    const gone = await db.$client`
      delete from delivery_contents where delivery_id in (
        select c.delivery_id from deliveries d join delivery_contents c on c.delivery_id = d.id
        where d.preview_expires_at <= now() and d.preview_expires_at > now() - interval '100 days' limit ${batch}) returning 1`
    return gone.length
  })

export const removeViews = (db: Database, days: number): Promise<number> =>
  drain(async () => {
    const gone = await db.$client`
      delete from preview_views where id in (
        select id from preview_views where at < now() - make_interval(days => ${days}) limit ${batch}) returning 1`
    return gone.length
  })

/** Tests of messages whose workflow is gone: they have failed, and their addresses are forgotten. */
export const endTests = async (db: Database, days: number): Promise<number> => {
  const ended = await db.$client`
    update message_tests set state = 'failed', code = 'mailUnreachable', recipients = '[]'
    where state = 'waiting' and created_at < now() - make_interval(days => ${days}) returning 1`
  return ended.length
}

export const removeIdempotency = (db: Database, days: number): Promise<number> =>
  drain(async () => {
    const gone = await db.$client`
      delete from idempotency where ctid in (
        select ctid from idempotency where created_at < now() - make_interval(days => ${days}) limit ${batch}) returning 1`
    return gone.length
  })

/** Files whose run has ended, or that nobody goes on sending: a process died while it received them. */
export const removeUploads = async (db: Database, idleMinutes: number): Promise<number> => {
  const gone = await db.$client`
    delete from uploads u where case when u.run_id is null then u.touched_at < now() - make_interval(mins => ${idleMinutes})
      else exists (select from runs r where r.id = u.run_id and r.finished_at is not null) end returning 1`
  return gone.length
}

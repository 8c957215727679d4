import type { CrmEntity } from '../../domain/crm.ts'
import type { Heir } from '../../domain/gone.ts'
import type { Database } from '../database.ts'

export type Successor = { id: string; state: 'converted' | 'merged'; successor: Heir }

/** Who took people over, and who took those over in their turn, the nearest first: as far as it was found out already, for this list or another one. A circle ends before it begins anew. */
export const heirsOf = async (
  { $client: sql }: Database,
  connectionId: string,
  entity: CrmEntity,
  ids: readonly string[],
): Promise<Successor[]> => {
  const rows = await sql<Successor[]>`
    with recursive known as not materialized (
      select entity, crm_id, successor_entity as heir_entity, successor_id as heir_id from crm_people
      where connection_id = ${connectionId}::uuid and state in ('converted', 'merged') and successor_id is not null),
    path as (
      select crm_id as id, heir_entity, heir_id, array[entity || ':' || crm_id, heir_entity || ':' || heir_id] as seen from known
      where entity = ${entity} and crm_id = any(string_to_array(${ids.join('\n')}::text, E'\n'))
      union all
      select path.id, k.heir_entity, k.heir_id, seen || (k.heir_entity || ':' || k.heir_id)
      from path join known k on k.entity = path.heir_entity and k.crm_id = path.heir_id
      where k.heir_entity || ':' || k.heir_id <> all (seen))
    select id, case when heir_entity = ${entity} then 'merged' else 'converted' end as state,
      json_build_object('entity', heir_entity, 'id', heir_id) as successor from path order by id, cardinality(seen)`
  return [...rows]
}

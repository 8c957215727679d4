-- The ids of a page of the live records of a list, by id, beyond a key in either direction. By the index that has the order already, whatever the planner expects: of a
-- list that has grown since the last analysis it expects one row, and would fetch and sort them all; of the newest of several large lists
-- it would rather follow the primary key through all the others.
CREATE FUNCTION list_page(list uuid, beyond uuid, most bigint) RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 50
SET enable_sort = off SET enable_incremental_sort = off SET enable_bitmapscan = off SET enable_seqscan = off
AS $$
  SELECT id FROM records
  WHERE (list_id, id) > (list, beyond) AND (list_id, id) <= (list, 'ffffffff-ffff-ffff-ffff-ffffffffffff') AND removed_at IS NULL
  ORDER BY list_id, id LIMIT most
$$;
--> statement-breakpoint
CREATE FUNCTION list_page_back(list uuid, beyond uuid, most bigint) RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 50
SET enable_sort = off SET enable_incremental_sort = off SET enable_bitmapscan = off SET enable_seqscan = off
AS $$
  SELECT id FROM records
  WHERE (list_id, id) < (list, beyond) AND (list_id, id) >= (list, '00000000-0000-0000-0000-000000000000') AND removed_at IS NULL
  ORDER BY list_id DESC, id DESC LIMIT most
$$;

import type { Database } from '../../src/db/database.ts'

type Column = { table: string; column: string; type: string }

/** In which columns of which tables one of these texts stands, in any case: a table that is added is looked through like the others. */
export const tracesOf = async ({ $client: sql }: Database, texts: readonly string[]): Promise<string[]> => {
  const columns = await sql<Column[]>`
    select c.table_name as table, c.column_name as column, c.data_type as type from information_schema.columns c
      join information_schema.tables t using (table_schema, table_name)
    where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.data_type in ('text', 'jsonb', 'json', 'bytea', 'character varying', 'uuid')
    order by 1, 2`
  const found: string[] = []
  const patterns = texts.map((text) => `%${text.toLowerCase()}%`).join('\n')
  for (const table of new Set(columns.map((column) => column.table))) {
    const own = columns.filter((column) => column.table === table)
    const read = own.map(({ column, type }) =>
      type === 'bytea' ? sql`encode(${sql(column)}, 'escape')` : sql`${sql(column)}::text`,
    )
    const all = read.reduce((before, each) => sql`${before}, ${each}`)
    const rows = await sql<{ said: string[] }[]>`
      select to_json(array[${all}]) as said from ${sql(table)}
      where lower(concat_ws(' ', ${all})) like any(string_to_array(${patterns}::text, E'\n'))`
    for (const { said } of rows)
      for (const text of texts)
        for (const [at, each] of said.entries())
          if (each?.toLowerCase().includes(text.toLowerCase())) found.push(`${table}.${own[at]!.column}: ${text}`)
  }
  return found
}

import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import { formVersions, forms } from '../../src/db/schema.ts'
import { insert } from '../../src/db/submission/insert.ts'
import { wakeOpen } from '../../src/db/submission/wake.ts'
import type { Answers, FormDefinition, FormField, SubmissionResult, SubmissionState } from '../../src/domain/form.ts'
import { until, type Fairlead } from './fairlead.ts'
import type { TestList } from './sync.ts'

export type Submitted = {
  id: string
  state: SubmissionState
  code: string | null
  tries: number
  recordId: string | null
  results: SubmissionResult[]
  warnings: { code: string; field?: string }[]
  crm: Record<string, unknown> | null
  settledAt: Date | null
}

type Options = Partial<Pick<FormDefinition, 'push' | 'policy' | 'newLeadDefaults'>>

const field = (name: string, column: string | null, type: FormField['type']): FormField => ({
  name,
  type,
  label: { en: name },
  help: {},
  required: false,
  maxLength: null,
  min: null,
  max: null,
  choices: [],
  picklist: null,
  hidden: null,
  column,
})

let made = 0

/** The drainer of a connection goes on, in a new run, as after so many pauses in a row; in one step: whoever submits might wake another one. */
export const drainAfterPauses = async (
  { accountId, wiring: { flows } }: Fairlead,
  connectionId: string,
  pauses: number,
): Promise<void> => {
  await flows.client.workflow.start('drainForms', {
    workflowId: `forms:${connectionId}`,
    taskQueue: flows.taskQueue,
    args: [{ accountId, connectionId, pauses }],
    workflowIdConflictPolicy: 'TERMINATE_EXISTING',
  })
}

/** A form on a list: field name → name of its column, null for what stays with the submission. `email` is the address. */
export const openForm = async (
  { db, accountId, wiring }: Fairlead,
  list: TestList,
  fields: Record<string, string | null | { column: string | null; type: FormField['type'] }>,
  options: Options = {},
) => {
  const sql = db.$client
  const define = (more: Options = {}): FormDefinition => ({
    name: `Form ${(made += 1)}`,
    fields: Object.entries(fields).map(([name, said]) => {
      const { column, type } =
        said === null || typeof said === 'string' ? { column: said, type: 'text' as const } : said
      return field(name, column === null ? null : list.keyOf(column), name === 'email' ? 'email' : type)
    }),
    push: true,
    policy: 'overwrite',
    newLeadDefaults: {},
    languages: ['en'],
    title: { en: 'Form' },
    thanks: { text: { en: 'Thanks' } },
    allowedOrigins: [],
    ...options,
    ...more,
  })
  let definition = define()
  let version = 1
  const key = `key-${made}-${Math.random()}`
  const [form] = await db
    .insert(forms)
    .values({ accountId, key, listId: list.listId, name: definition.name })
    .returning()
  const formId = form!.id
  await db.insert(formVersions).values({ formId, version, accountId, definition })
  const hashKey = await hashKeyOf(db, wiring.secrets, accountId)

  /** without telling anybody */
  const store = async (answers: Answers): Promise<string> => {
    const emailKey = emailKeyOf(hashKey, answers['email'])
    const { id } = await insert(db, {
      form: { id: formId, accountId, definition },
      version,
      answers,
      emailKey,
      language: 'en',
    })
    return id
  }
  const all = async (): Promise<Submitted[]> => {
    const rows = await sql<Submitted[]>`
      select id::text, state, code, tries, record_id::text as "recordId", results, warnings, crm, settled_at as "settledAt" from submissions
      where form_id = ${formId} order by id`
    return [...rows]
  }
  const of = async (id: string): Promise<Submitted> => (await all()).find((each) => each.id === id)!
  return {
    formId,
    store,
    all,
    of,
    /** a new version */
    async change(more: Options): Promise<void> {
      definition = { ...definition, ...more }
      version += 1
      await db.insert(formVersions).values({ formId, version, accountId, definition })
      await sql`update forms set version = ${version} where id = ${formId}`
    },
    async wake(): Promise<void> {
      await db.transaction((tx) => wakeOpen(tx, accountId))
      await wiring.relay()
    },
    async submit(answers: Answers): Promise<string> {
      const id = await store(answers)
      await wiring.relay()
      return id
    },
    settled: (id: string, timeoutMs?: number): Promise<Submitted> =>
      until(
        `submission ${id} is settled`,
        async () => {
          const found = await of(id)
          return found.settledAt === null ? undefined : found
        },
        timeoutMs,
      ),
    allSettled: (timeoutMs?: number): Promise<Submitted[]> =>
      until(
        'all submissions are settled',
        async () => {
          const found = await all()
          return found.every(({ settledAt }) => settledAt !== null) ? found : undefined
        },
        timeoutMs,
      ),
    reaches: (id: string, state: SubmissionState): Promise<Submitted> =>
      until(`submission ${id} is ${state}`, async () => {
        const found = await of(id)
        return found.state === state ? found : undefined
      }),
  }
}

export type TestForm = Awaited<ReturnType<typeof openForm>>

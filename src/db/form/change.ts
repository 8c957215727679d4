import { and, eq, isNull, sql } from 'drizzle-orm'
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { FairleadError } from '../../domain/errors.ts'
import { missingColumns, readForm, type FormDefinition, type GivenForm } from '../../domain/form.ts'
import * as accounts from '../account.ts'
import * as audits from '../audit.ts'
import * as columns from '../column.ts'
import { append } from '../column/add.ts'
import { refuseTaken } from '../column/name.ts'
import type { Database } from '../database.ts'
import { refuseTwins } from '../failure.ts'
import * as lists from '../list.ts'
import { insertIn } from '../list/insert.ts'
import type { Transaction } from '../outbox.ts'
import { forms, formVersions } from '../schema.ts'
import { storedPicklists } from './picklist.ts'
import { get, type Form } from './read.ts'

type AskedForm = GivenForm & { list: { id: string } | { name: string; folderId?: string | undefined } }

/** More would make the page of forms, and the removal of a column, slow. */
const mostForms = 1000

const keep = async (tx: Transaction, form: Form, { apiKeyId }: audits.Actor): Promise<void> => {
  const { id: formId, accountId, version, definition } = form
  await tx.insert(formVersions).values({ formId, accountId, version, definition, apiKeyId })
}

/** Makes the columns that the list does not have yet, then reads the form against it. */
const define = async (
  tx: Transaction,
  list: lists.List,
  given: GivenForm,
  before?: FormDefinition,
): Promise<{ definition: FormDefinition; made: string[] }> => {
  const known = await columns.all(tx, list.accountId, list.id)
  const languages = given.languages ?? before?.languages ?? ['en']
  const missing = missingColumns(given.fields.slice(0, 1000), languages, known)
  for (const { index, name } of missing) refuseTaken(() => undefined, name, `fields[${index}].column`)
  const made = await append(
    tx,
    list,
    known,
    missing.map(({ name, type }) => ({ name, type })),
  )
  const live = (await columns.liveFields(tx, list.accountId, list)) ?? {}
  const picklists = await storedPicklists(tx, list.accountId)
  const definition = readForm(given, { columns: [...known, ...made], live, picklists, before })
  return { definition, made: made.map(({ id }) => id) }
}

const refuseMore = async (tx: Transaction, accountId: string): Promise<void> => {
  const live = and(eq(forms.accountId, accountId), isNull(forms.removedAt))
  if ((await tx.$count(forms, live)) >= mostForms)
    throw new FairleadError('invalidInput', { detail: `An account has at most ${mostForms} forms.` })
}

/**
 * A form, with its list and the columns that its fields need where these are not there yet. Errors: notFound for list or folder, nameTaken, and
 * those of readForm.
 */
export const insert = (db: Database, accountId: string, asked: AskedForm, actor: audits.Actor): Promise<Form> =>
  refuseTwins(
    db.transaction(async (tx) => {
      await accounts.lock(tx, accountId, 'no key update')
      await refuseMore(tx, accountId)
      const { list: said, ...given } = asked
      const listId =
        'id' in said
          ? said.id
          : await insertIn(tx, accountId, { name: said.name, folderId: said.folderId, columns: [] }, actor)
      const list = await columns.lockList(tx, accountId, listId)
      const { definition, made: madeColumns } = await define(tx, list, given)
      const key = randomBytes(18).toString('base64url')
      const [made] = await tx.insert(forms).values({ accountId, key, listId, name: definition.name }).returning()
      const form = { ...made!, definition }
      await keep(tx, form, actor)
      const details = { listId, columns: madeColumns }
      await audits.insert(tx, accountId, actor, { action: 'form.create', targetId: form.id, details })
      return form
    }),
  )

type FormChanges = Partial<GivenForm> & { version: number; state?: 'open' | 'closed' | undefined }

/** A field of a column that is gone is kept with the submission only. An address that need not be answered must be, once the form pushes. */
const asGiven = ({ fields, ...rest }: FormDefinition, known: readonly columns.Column[]): GivenForm => {
  const keys = new Set(known.map(({ key }) => key))
  return {
    ...rest,
    fields: fields.map((field) => ({
      ...field,
      required: field.required || undefined,
      column: field.column !== null && keys.has(field.column) ? field.column : null,
    })),
  }
}

/** The list of a form that changes; a removed one is left as it is. */
const lockListOf = async (tx: Transaction, { accountId, listId }: Form): Promise<lists.List> => {
  const list = await lists.getEver(tx, accountId, listId)
  return list.removedAt === null ? columns.lockList(tx, accountId, listId) : list
}

const readChanges = (asked: Omit<FormChanges, 'version' | 'state'>): Partial<GivenForm> =>
  Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))

/** A form that is only closed or opened stays as it is, whatever has become of the CRM's fields and picklists since. */
const redefine = async (
  tx: Transaction,
  list: lists.List,
  { definition: before }: Form,
  changes: Partial<GivenForm>,
): Promise<FormDefinition> => {
  if (Object.keys(changes).length === 0) return before
  const known = await columns.all(tx, list.accountId, list.id)
  const { definition } = await define(tx, list, { ...asGiven(before, known), ...changes }, before)
  return definition
}

/**
 * Changes a form for the version that was read, and makes the next version; what changes nothing makes none. Submissions that wait keep theirs.
 * Errors: notFound, conflict with the present version or a list that is gone, nameTaken, and those of readForm.
 */
export const update = (
  db: Database,
  accountId: string,
  formId: string,
  { version, state, ...asked }: FormChanges,
  actor: audits.Actor,
): Promise<Form> =>
  refuseTwins(
    db.transaction(async (tx) => {
      await accounts.lock(tx, accountId, 'no key update')
      const list = await lockListOf(tx, await get(tx, accountId, formId))
      const before = await get(tx, accountId, formId)
      if (version !== before.version) {
        const detail = `The form is at version ${before.version}; this was made from version ${version}.`
        throw new FairleadError('conflict', { detail, extra: { version: before.version } })
      }
      if (list.removedAt !== null && state === 'open')
        throw new FairleadError('formClosed', {
          detail: 'The list that the form fills was removed.',
          remedy: 'Make a new form for another list.',
        })
      const changes = readChanges(asked)
      const definition = await redefine(tx, list, before, changes)
      const after = { name: definition.name, state: state ?? before.state }
      const isOther = !isDeepStrictEqual(definition, before.definition)
      if (!isOther && after.state === before.state) return before
      const [made] = await tx
        .update(forms)
        .set({ ...after, version: version + 1, updatedAt: sql`now()` })
        .where(eq(forms.id, formId))
        .returning()
      const form = { ...made!, definition }
      await keep(tx, form, actor)
      const changed = [...Object.keys(changes), ...(after.state === before.state ? [] : ['state'])]
      const details = { version: form.version, changed }
      await audits.insert(tx, accountId, actor, { action: 'form.update', targetId: formId, details })
      return form
    }),
  )

/** The form takes nothing more and is seen no more; its submissions stay, and those that wait go on. Errors: notFound. */
export const remove = (db: Database, accountId: string, formId: string, actor: audits.Actor): Promise<void> =>
  db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'no key update')
    const removed = await tx
      .update(forms)
      .set({ removedAt: sql`now()`, state: 'closed' })
      .where(and(eq(forms.accountId, accountId), eq(forms.id, formId), isNull(forms.removedAt)))
      .returning({ id: forms.id })
    if (removed.length === 0) throw new FairleadError('notFound')
    await audits.insert(tx, accountId, actor, { action: 'form.remove', targetId: formId })
  })

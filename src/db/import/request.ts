import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { CrmEntity } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { chooseFields, type ChosenField } from '../../domain/field.ts'
import { firstFreeColumn, fixedColumnKeys, importedListName, listKindOf, numberedName } from '../../domain/list.ts'
import type { RunWarning } from '../../domain/run.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import * as folders from '../folder.ts'
import * as outbox from '../outbox.ts'
import { columns, lists, runs } from '../schema.ts'

type Request = { entity: CrmEntity; fields: string[]; newList: boolean }
type Transaction = outbox.Transaction

const readOnlyWarning = (fields: ChosenField[]): RunWarning[] =>
  fields
    .filter((field) => field.readOnly && !field.system && !field.locked)
    .map(({ name }) => ({
      code: 'fieldReadOnly',
      message: `${name} is set by the CRM itself: it is imported, and can never be pushed.`,
      count: 1,
      field: name,
    }))

const findImported = async (tx: Transaction, accountId: string, connectionId: string, entity: CrmEntity) => {
  const [list] = await tx
    .select({ id: lists.id, name: lists.name, runId: runs.id })
    .from(lists)
    .leftJoin(
      runs,
      and(eq(runs.listId, lists.id), eq(runs.kind, 'import'), inArray(runs.state, ['queued', 'running', 'held'])),
    )
    .where(
      and(
        eq(lists.accountId, accountId),
        eq(lists.connectionId, connectionId),
        eq(lists.kind, listKindOf[entity]),
        isNull(lists.removedAt),
      ),
    )
    .orderBy(sql`${runs.id} desc nulls last`, lists.id)
    .limit(1)
  return list
}

const insertColumns = async (
  tx: Transaction,
  accountId: string,
  listId: string,
  fields: ChosenField[],
): Promise<void> => {
  let next = firstFreeColumn
  const rows = fields.map((field, position) => ({
    accountId,
    listId,
    key: fixedColumnKeys[field.name] ?? `c${next++}`,
    name: field.label,
    type: field.type,
    crmField: field.name,
    maxLength: field.maxLength,
    custom: field.custom,
    locked: field.locked,
    system: field.system,
    position,
  }))
  for (let start = 0; start < rows.length; start += 2000)
    await tx.insert(columns).values(rows.slice(start, start + 2000))
  await tx.update(lists).set({ nextColumn: next }).where(eq(lists.id, listId))
}

/**
 * I1–I4: makes the list at the top of `Default`, its columns and the queued run, and asks for the workflow, all in one transaction.
 * `created` is false when an import of the entity is under way: that run is the answer.
 * Errors: notConnected, connectorDisabled, alreadyImported (with the list), unknownField, secretField, duplicateField.
 */
export const request = (
  db: Database | Transaction,
  accountId: string,
  { entity, fields: names, newList }: Request,
): Promise<{ runId: string; created: boolean }> =>
  db.transaction(async (tx) => {
    await connections.lockAccount(tx, accountId)
    const connection = await connections.findActive(tx, accountId)
    if (connection === undefined || !['connected', 'needsReconfirm'].includes(connection.state)) {
      throw new FairleadError('notConnected')
    }
    const connectionId = connection.id
    const existing = await findImported(tx, accountId, connectionId, entity)
    if (existing !== undefined && !newList) {
      if (existing.runId !== null) return { runId: existing.runId, created: false }
      throw new FairleadError('alreadyImported', { extra: { list: { id: existing.id, name: existing.name } } })
    }
    const live = await connections.findFields(tx, accountId, entity)
    const chosen = chooseFields(entity, live?.fields ?? [], names)
    const { id: folderId } = await folders.getDefault(tx, accountId)
    const inFolder = await tx
      .select({ name: lists.name })
      .from(lists)
      .where(and(eq(lists.folderId, folderId), isNull(lists.removedAt)))
    const [list] = await tx
      .insert(lists)
      .values({
        accountId,
        folderId,
        connectionId,
        name: numberedName(
          importedListName[entity],
          inFolder.map((each) => each.name),
        ),
        kind: listKindOf[entity],
        position: await folders.topOf(tx, folderId),
      })
      .returning({ id: lists.id })
    const listId = list!.id
    await insertColumns(tx, accountId, listId, chosen)
    const [run] = await tx
      .insert(runs)
      .values({
        accountId,
        kind: 'import',
        trigger: 'api',
        listId,
        connectionId,
        entity,
        settings: { fields: chosen.map((field) => field.name) },
        warnings: readOnlyWarning(chosen),
        workflowId: '',
      })
      .returning({ id: runs.id })
    const runId = run!.id
    const workflowId = `import:${runId}`
    await tx.update(runs).set({ workflowId }).where(eq(runs.id, runId))
    await outbox.insert(tx, {
      accountId,
      kind: 'start',
      name: 'importList',
      workflowId,
      input: { accountId, runId, entity, listId, connectionId },
    })
    return { runId, created: true }
  })

import {
  Client,
  Connection,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type ConnectionOptions,
  type WorkflowHandle,
} from '@temporalio/client'
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
  type SearchAttributePair,
} from '@temporalio/common'
import type * as workflows from '../workflows/index.ts'

type Workflows = typeof workflows
export type WorkflowName = keyof Workflows
type Input = { accountId?: string; listId?: string; connectionId?: string; entity?: string; kind?: string }

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD)
/** What operators filter by in the Temporal UI (O3); ids and kinds only, since search attributes are never encrypted. */
export const searchAttributes = {
  accountId: keyword('AccountId'),
  listId: keyword('ListId'),
  connectionId: keyword('ConnectionId'),
  kind: keyword('RunKind'),
}

const kinds: Record<WorkflowName, string> = {
  importList: 'import',
  syncList: 'sync',
  checkConnection: 'connection',
  readFields: 'fields',
  readPicklist: 'picklist',
  housekeeping: 'housekeeping',
  uploadList: 'upload',
  fireSchedule: 'schedule',
  deliverAlert: 'alert',
  drainForms: 'forms',
  deliverNotes: 'notes',
  sendMessage: 'send',
  testMessage: 'test',
  pushOptOuts: 'optOuts',
}

const syncSummaries: Record<string, string> = {
  sweep: 'Key sweep of a list',
  verify: 'Verification of a list',
  preview: 'Preview of a sync',
  undo: 'Undo of a run',
}

const summaryOf = (name: WorkflowName, input: Input): string =>
  ({
    importList: `Import of all Infor CRM ${input.entity === 'contact' ? 'contacts' : 'leads'}`,
    syncList: syncSummaries[input.kind ?? ''] ?? 'Sync of a list',
    checkConnection: 'Check of new CRM credentials',
    readFields: `Reading the CRM's fields of ${input.entity}`,
    readPicklist: `Reading a picklist of the CRM's ${input.entity}`,
    housekeeping: 'Housekeeping',
    uploadList: 'Upload of a CSV file into a list',
    fireSchedule: 'Scheduled sync of a list',
    deliverAlert: 'Delivery of an alert',
    drainForms: 'Submissions of forms',
    deliverNotes: 'Notes of a message in the CRM',
    sendMessage: 'Sending of a message',
    testMessage: 'Test of a message',
    pushOptOuts: 'Opt-outs on their way to the CRM',
  })[name]

export const attributesOf = (name: WorkflowName, input: Input): TypedSearchAttributes => {
  const pairs: SearchAttributePair[] = [{ key: searchAttributes.kind, value: input.kind ?? kinds[name] }]
  for (const key of ['accountId', 'listId', 'connectionId'] as const) {
    const value = input[key]
    if (value !== undefined) pairs.push({ key: searchAttributes[key], value })
  }
  return new TypedSearchAttributes(pairs)
}

/** what a client's and a worker's connection have in common */
export type EngineOptions = {
  address: string
  namespace: string
  taskQueue: string
  tls?: ConnectionOptions['tls']
  apiKey?: string
  metadata?: Record<string, string>
}

export type Flows = Awaited<ReturnType<typeof openFlows>>

/** The only place that starts, signals and cancels workflows. Connects when first used, so that nothing waits for the engine at start. */
export const openFlows = async ({ namespace, taskQueue, ...options }: EngineOptions) => {
  const connection = Connection.lazy({ ...options, connectTimeout: '5 seconds' })
  const client = new Client({ connection, namespace })
  const handle = (workflowId: string): WorkflowHandle => client.workflow.getHandle(workflowId)
  /** An engine that is away must not keep people or the outbox waiting: what is not taken soon is handed over later. */
  const soon = <T>(call: () => Promise<T>): Promise<T> => connection.withDeadline(Date.now() + 3000, call)
  const unlessGone = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error
    }
  }

  return {
    client,
    /** for workers, which open a connection of their own kind */
    connection: options,
    taskQueue,
    soon,
    /** A second start of the same id is harmless: the one that runs goes on. */
    async start<Name extends WorkflowName>(
      name: Name,
      workflowId: string,
      ...args: Parameters<Workflows[Name]>
    ): Promise<void> {
      const input = (args[0] ?? {}) as Input
      try {
        await soon(() =>
          client.workflow.start(name, {
            workflowId,
            taskQueue,
            args: args as never,
            workflowIdConflictPolicy: 'USE_EXISTING',
            typedSearchAttributes: attributesOf(name, input),
            staticSummary: summaryOf(name, input),
          }),
        )
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
      }
    },
    /** Starts it, or signals `wake` to the one of that id that runs, in one step: no wake-up is lost to one that is about to end. */
    async wake<Name extends WorkflowName>(
      name: Name,
      workflowId: string,
      ...args: Parameters<Workflows[Name]>
    ): Promise<void> {
      const input = (args[0] ?? {}) as Input
      await soon(() =>
        client.workflow.signalWithStart(name, {
          workflowId,
          taskQueue,
          args: args as never,
          signal: 'wake',
          typedSearchAttributes: attributesOf(name, input),
          staticSummary: summaryOf(name, input),
        }),
      )
    },
    signal: (workflowId: string, name: string) => unlessGone(soon(() => handle(workflowId).signal(name))),
    cancel: (workflowId: string) => unlessGone(soon(() => handle(workflowId).cancel())),
    /** false when the engine knows no workflow of that id that is still open */
    async isOpen(workflowId: string): Promise<boolean> {
      try {
        return (await handle(workflowId).describe()).status.name === 'RUNNING'
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false
        throw error
      }
    },
    async ready(): Promise<boolean> {
      try {
        await connection.withDeadline(Date.now() + 2000, () => connection.workflowService.getSystemInfo({}))
        return true
      } catch {
        return false
      }
    },
    close: () => connection.close(),
  }
}

import { buildApp } from '../../src/api/app.ts'
import * as apiKeys from '../../src/db/apiKey.ts'
import type { Event } from '../../src/api/record/timelineJson.ts'
import type { Fairlead } from './fairlead.ts'

export type Timelines = {
  /** the key that asks */
  apiKeyId: string
  call: (
    url: string,
  ) => Promise<{ status: number; body: { items: Event[]; nextCursor: string | null; current: unknown } }>
  /** Everything that happened to a record, oldest first. */
  read: (listId: string, recordId: string, limit?: number) => Promise<Event[]>
  close: () => Promise<void>
}

/** The API beside a running Fairlead, for what it says of records. */
export const openTimelines = async ({ wiring, db, accountId }: Fairlead): Promise<Timelines> => {
  const app = await buildApp({
    ...wiring,
    engineReady: async () => true,
    temporalUiUrl: 'http://127.0.0.1:8233',
    temporalNamespace: 'default',
  } as never)
  await app.ready()
  const { apiKey, key } = await apiKeys.insert(db, accountId, { name: 'asks', role: 'viewer' })
  const call: Timelines['call'] = async (url) => {
    const answer = await app.inject({ method: 'GET', url, headers: { authorization: `Bearer ${key}` } })
    return { status: answer.statusCode, body: answer.json() }
  }
  return {
    apiKeyId: apiKey.id,
    call,
    async read(listId, recordId, limit = 200) {
      const events: Event[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
        const { status, body } = await call(`/v1/lists/${listId}/records/${recordId}/timeline?limit=${limit}${after}`)
        if (status !== 200) throw new Error(`the timeline answers ${status}: ${JSON.stringify(body)}`)
        events.push(...body.items)
        cursor = body.nextCursor
      }
      return events.reverse()
    },
    close: () => app.close(),
  }
}

import { buildApp } from '../../src/api/app.ts'
import type { Event } from '../../src/api/record/timelineJson.ts'
import * as apiKeys from '../../src/db/apiKey.ts'
import type { Fairlead } from './fairlead.ts'

export type Timelines = {
  /** the key that asks */
  apiKeyId: string
  call: (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    url: string,
    body?: object,
    // oxlint-disable-next-line typescript/no-explicit-any -- tests look into whatever came back
  ) => Promise<{ status: number; body: any }>
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
  const { apiKey, key } = await apiKeys.insert(db, accountId, { name: 'asks', role: 'admin' })
  const call: Timelines['call'] = async (method, url, payload) => {
    const headers = { authorization: `Bearer ${key}` }
    const answer = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) })
    return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json() }
  }
  return {
    apiKeyId: apiKey.id,
    call,
    async read(listId, recordId, limit = 200) {
      const events: Event[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
        const url = `/v1/lists/${listId}/records/${recordId}/timeline?limit=${limit}${after}`
        const { status, body } = await call('GET', url)
        if (status !== 200) throw new Error(`the timeline answers ${status}: ${JSON.stringify(body)}`)
        events.push(...(body.items as Event[]))
        cursor = body.nextCursor
      }
      return events.reverse()
    },
    close: () => app.close(),
  }
}

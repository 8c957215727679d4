import type { IncomingHttpHeaders } from 'node:http'
import type { Settings } from '../settings.ts'
import { toAtom } from './atom.ts'
import type { Reply } from './call.ts'
import type { Answer } from './refuse.ts'

const jsonType = 'application/json; charset=utf-8'

/** JSON only where `format=json` asks for it; the Accept header alone does not, unless a setting says so (sdata.md 2.1). */
export const wantsJson = (format: string | undefined, headers: IncomingHttpHeaders, settings: Settings): boolean =>
  format?.toLowerCase() === 'json' || (settings.jsonByAccept && (headers.accept ?? '').includes('application/json'))

export const answerOf = (reply: Reply, json: boolean, headers: IncomingHttpHeaders): Answer => {
  const extra: Record<string, string> = {}
  if (reply.etag !== undefined) extra['ETag'] = reply.etag
  if (reply.status === 201 && reply.location !== undefined) extra['Location'] = reply.location
  const match = headers['if-none-match']?.replaceAll('"', '')
  if (reply.status === 200 && reply.etag !== undefined && match === reply.etag)
    return { status: 304, body: '', type: jsonType, headers: extra }
  if (reply.type !== undefined) return { status: reply.status, body: reply.body, type: reply.type, headers: extra }
  if (json || reply.body.length === 0) return { status: reply.status, body: reply.body, type: jsonType, headers: extra }
  const { text, type } = toAtom(reply.body.toString(), reply.payload ?? 'Entity')
  return { status: reply.status, body: text, type: `${type}; charset=utf-8`, headers: extra }
}

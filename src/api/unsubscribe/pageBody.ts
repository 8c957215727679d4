import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Way } from '../../db/delivery/unsubscribe.ts'
import { actionName } from './pageView.ts'

/** What a button sends is short. */
export const bodyBytes = 16 * 1024

export type Asked = { action: 'unsubscribe'; way: Way } | { action: 'again' } | { action: 'unclear' }

const isForm = (type: string): boolean => /^(application\/x-www-form-urlencoded|multipart\/form-data)\b/i.test(type)

const readFields = async (bytes: Buffer, type: string): Promise<Map<string, string>> => {
  if (!isForm(type)) return new Map()
  try {
    const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': type } }).formData()
    return new Map([...form].map(([name, value]) => [name.toLowerCase(), typeof value === 'string' ? value : '']))
  } catch {
    return new Map()
  }
}

/** Any body is taken, as bytes: what cannot be read asks for nothing, and its sender gets a page with a button. */
export const parseAnything = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(
    '*',
    { parseAs: 'buffer', bodyLimit: bodyBytes },
    async (_request: FastifyRequest, body: Buffer) => body,
  )
}

/** RFC 8058, section 3.1: mail programs send `List-Unsubscribe=One-Click`, in either form. */
export const readAsked = async ({ headers, body }: FastifyRequest): Promise<Asked> => {
  const fields = await readFields(Buffer.isBuffer(body) ? body : Buffer.alloc(0), headers['content-type'] ?? '')
  if (/^one-click$/i.test(fields.get('list-unsubscribe')?.trim() ?? ''))
    return { action: 'unsubscribe', way: 'oneClick' }
  const said = fields.get(actionName)
  if (said === 'unsubscribe') return { action: 'unsubscribe', way: 'page' }
  return { action: said === 'again' ? 'again' : 'unclear' }
}

import { Agent, type Dispatcher } from 'undici'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib'
import { FairleadError } from '../../domain/errors.ts'
import { fromSocket } from './failure.ts'
import { createLookup } from '../../http/host.ts'
import { followRedirect } from './url.ts'

export type Exchange = {
  url: string
  method: 'GET' | 'POST' | 'PUT'
  headers: Record<string, string>
  body?: string
  signal?: AbortSignal
}

export type Reply = {
  status: number
  headers: Record<string, string | string[] | undefined>
  /** decoded, without byte-order mark */
  text: string
  /** where the answer came from, after redirects */
  url: string
}

export type Wire = {
  /** one request with its redirects; throws FairleadError, or the caller's own reason when `signal` aborts */
  send(exchange: Exchange): Promise<Reply>
  close(): Promise<void>
}

export type WireOptions = {
  timeoutMs: number
  checkHost: (hostname: string) => void
  /** the Cookie header for an address, null for none */
  cookie: (url: URL) => string | null
  /** `sentAt`: by our clock */
  onReply: (headers: Reply['headers'], sentAt: number) => void
}

const maxBytes = 64 * 1024 * 1024
const maxHops = 5
const inflateAsync = promisify(inflate)
// IIS means the bare form by “deflate”
const inflateRawAsync = promisify(inflateRaw)
const inflaters = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: async (bytes: Buffer, limit: { maxOutputLength: number }): Promise<Buffer> =>
    inflateAsync(bytes, limit).catch(() => inflateRawAsync(bytes, limit)),
  br: promisify(brotliDecompress),
} as const

const tooLarge = (): FairleadError =>
  new FairleadError('crmAnswer', { detail: 'The CRM’s answer is larger than 64 MiB.' })

const readBody = async (reply: Dispatcher.ResponseData): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of reply.body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
  const encoding = String(reply.headers['content-encoding'] ?? '').toLowerCase()
  if (bytes.length === 0 || !Object.hasOwn(inflaters, encoding)) return bytes
  try {
    return await inflaters[encoding as keyof typeof inflaters](bytes, { maxOutputLength: maxBytes })
  } catch (cause) {
    throw new FairleadError('crmAnswer', { detail: 'The CRM’s answer could not be decompressed.', cause })
  }
}

const decode = (bytes: Buffer, contentType: string): string => {
  const mark = bytes.length > 1 ? bytes.readUInt16BE(0) : 0
  const named = /charset="?([\w.:-]+)/i.exec(contentType)?.[1]?.toLowerCase() ?? 'utf-8'
  const charset = mark === 0xfffe ? 'utf-16le' : mark === 0xfeff ? 'utf-16be' : named
  if (charset !== 'utf-8' && charset !== 'utf8') {
    try {
      return new TextDecoder(charset).decode(bytes)
    } catch {
      // an unknown name: read it as UTF-8
    }
  }
  const text = bytes.toString('utf8')
  return text.charCodeAt(0) === 0xfeff ? text.replace(/^\uFEFF+/, '') : text
}

/** The sockets of one Crm. A request ends after `timeoutMs` in total, whatever trickles in; an answer is at most 64 MiB. */
export const createWire = ({ timeoutMs, checkHost, cookie, onReply }: WireOptions): Wire => {
  const agent = new Agent({
    connections: 16,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 10_000,
    connect: { timeout: Math.min(timeoutMs, 10_000), lookup: createLookup() },
  })

  const hop = async (url: string, exchange: Exchange, signal: AbortSignal, hops: number): Promise<Reply> => {
    const target = new URL(url)
    checkHost(target.hostname)
    const cookies = cookie(target)
    const sentAt = Date.now()
    const reply = await agent.request({
      origin: target.origin,
      path: url.slice(target.origin.length) || '/',
      method: exchange.method,
      headers: cookies === null ? exchange.headers : { ...exchange.headers, cookie: cookies },
      body: exchange.body,
      signal,
    })
    onReply(reply.headers, sentAt)
    const location = [reply.headers['location']].flat()[0]
    if (reply.statusCode >= 301 && reply.statusCode <= 308 && reply.statusCode !== 304 && location !== undefined) {
      await reply.body.dump()
      if (hops >= maxHops) throw new FairleadError('crmAnswer', { detail: 'The CRM redirects in a circle.' })
      const next = followRedirect(target, location, reply.statusCode)
      const { body, ...rest } = exchange
      const asGet = reply.statusCode === 303
      return hop(next.href, asGet ? { ...rest, method: 'GET' } : { ...rest, body }, signal, hops + 1)
    }
    const bytes = await readBody(reply)
    const text = decode(bytes, String(reply.headers['content-type'] ?? ''))
    return { status: reply.statusCode, headers: reply.headers, text, url }
  }

  return {
    async send(exchange) {
      const controller = new AbortController()
      const abort = (): void => controller.abort(exchange.signal?.reason)
      const timer = setTimeout(() => controller.abort(new FairleadError('crmTimeout')), timeoutMs)
      exchange.signal?.addEventListener('abort', abort, { once: true })
      try {
        exchange.signal?.throwIfAborted()
        return await hop(exchange.url, exchange, controller.signal, 0)
      } catch (error) {
        if (controller.signal.aborted) throw controller.signal.reason
        throw fromSocket(error)
      } finally {
        clearTimeout(timer)
        exchange.signal?.removeEventListener('abort', abort)
      }
    },
    close: () => agent.destroy(),
  }
}

import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { findPreview, type Preview, type PreviewFault } from '../../db/delivery/preview.ts'
import { FairleadError } from '../../domain/errors.ts'
import { createLimit } from '../form/pageLimit.ts'
import { networkOf } from '../network.ts'
import type { Services } from '../services.ts'
import { noticePage, pagePolicy } from './pageDocument.ts'
import { languageFor, sendMail, sendPage, sendPageFailure } from './pageSend.ts'
import { previewText } from './pageText.ts'
import { previewPage } from './pageView.ts'
import { createVisits } from './visit.ts'

/** Requests a minute of one address. */
const mostRequests = 600

const statusOf: Record<PreviewFault, number> = {
  unknown: 404,
  erased: 410,
  revoked: 410,
  expired: 410,
  unsent: 404,
  missing: 404,
  damaged: 500,
}

type Route = { Params: { token: string }; Querystring: Record<string, unknown> }

/** What test mails link to. */
export const testToken = 'test'

/** No token of ours looks otherwise. What does is looked for all the same, as one that nobody has, so that no answer comes sooner than another. */
export const tokenOf = (said: string): string => (/^[\w-]{32}$/.test(said) ? said : '')

const wantsImages = ({ query }: { query: unknown }): boolean => (query as { images?: unknown }).images === '1'

const plainHost = /^[\w.-]+(:\d{1,5})?$/

/**
 * The mail's own document, as a policy names it: by the host that the browser asked for, and by PUBLIC_URL, since a proxy may change the former.
 * A host that cannot be named means this host, with any path.
 */
const frameSources = ({ host }: FastifyRequest, publicUrl: string | null, token: string): string[] => {
  const path = `/p/${token}/html`
  const own = plainHost.test(host) ? `${host}${path}` : "'self'"
  return publicUrl === null ? [own] : [own, `${publicUrl}${path}`]
}

/** G4: what was sent, for whoever has its address. */
export const previewPageRoutes: FastifyPluginAsync<Services> = async (app, services) => {
  const { db, publicUrl } = services
  const visit = createVisits(app, services)
  const limit = createLimit(app, mostRequests, ({ ip }) => networkOf(ip))
  app.setErrorHandler(sendPageFailure)
  app.setNotFoundHandler(() => {
    throw new FairleadError('notFound')
  })
  app.addHook('onRequest', limit)

  /** Answers why there is nothing to see; otherwise the preview, and nothing is answered yet. */
  const open = async (request: FastifyRequest<Route>, reply: FastifyReply): Promise<Preview | undefined> => {
    const language = languageFor(request)
    const { test, faults } = previewText(language)
    if (request.params.token === testToken) {
      sendPage(request, reply, 200, noticePage(language, test))
      return undefined
    }
    const found = await findPreview(db, tokenOf(request.params.token))
    if (!('fault' in found)) return found
    const { fault, deliveryId } = found
    if (fault === 'damaged') request.log.error({ deliveryId }, 'what was sent is damaged')
    sendPage(request, reply, statusOf[fault], noticePage(language, faults[fault]))
    return undefined
  }

  app.get<Route>('/:token', { schema: { hide: true } }, async (request, reply) => {
    const preview = await open(request, reply)
    if (preview === undefined) return reply
    visit(request, preview)
    const { token } = request.params
    const images = wantsImages(request)
    const page = previewPage({
      preview,
      language: languageFor(request),
      source: `${token}/html${images ? '?images=1' : ''}`,
      shows: preview.html.length === 0 ? 'text' : 'layout',
      images,
      links: { layout: token, text: `${token}/text`, images: `${token}?images=1` },
    })
    return sendPage(request, reply, 200, page, pagePolicy({ frames: frameSources(request, publicUrl, token) }))
  })

  app.get<Route>('/:token/text', { schema: { hide: true } }, async (request, reply) => {
    const preview = await open(request, reply)
    if (preview === undefined) return reply
    visit(request, preview)
    const { token } = request.params
    const links = { layout: `../${token}`, text: 'text', images: `../${token}?images=1` }
    const view = { preview, language: languageFor(request), source: '', shows: 'text', images: false, links } as const
    return sendPage(request, reply, 200, previewPage(view))
  })

  app.get<Route>('/:token/html', { schema: { hide: true } }, async (request, reply) => {
    // opened by itself its links would lead away
    if (request.headers['sec-fetch-dest'] === 'document') {
      return reply
        .headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
        .redirect(`../${encodeURIComponent(request.params.token)}`, 303)
    }
    const preview = await open(request, reply)
    return preview === undefined ? reply : sendMail(reply, preview.html, { images: wantsImages(request) })
  })
}

/** Addresses below /p and /u, whatever is wrong with them. */
export const isMailUrl = (url: string): boolean => /^\/[pu](\/|\?|$)/.test(url)

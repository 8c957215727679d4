import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { Counter } from 'prom-client'
import { findSubscriber, subscribeAgain, unsubscribe, type Subscriber } from '../../db/delivery/unsubscribe.ts'
import { FairleadError } from '../../domain/errors.ts'
import { createLimit } from '../form/pageLimit.ts'
import { networkOf } from '../network.ts'
import { noticePage, pagePolicy } from '../preview/pageDocument.ts'
import { testToken, tokenOf } from '../preview/pageRoutes.ts'
import { languageFor, sendPage, sendPageFailure } from '../preview/pageSend.ts'
import type { Services } from '../services.ts'
import { bodyBytes, parseAnything, readAsked, type Asked } from './pageBody.ts'
import { unsubscribeText } from './pageText.ts'
import { unsubscribePage, type Said } from './pageView.ts'

/** Requests a minute of one address. */
const mostRequests = 600

type Route = { Params: { token: string } }

/** R35: the page behind the unsubscribe link, and the door of RFC 8058. Looking changes nothing: mail programs and scanners look at every link. */
export const unsubscribePageRoutes: FastifyPluginAsync<Services> = async (app, { db, relay, log }) => {
  const limit = createLimit(app, mostRequests, ({ ip }) => networkOf(ip))
  const posts = new Counter({
    name: 'fairlead_unsubscribe_posts_total',
    help: 'What was sent to unsubscribe links, by what was asked and whether the link is known',
    labelNames: ['asked', 'known'],
    registers: [app.metrics],
  })
  parseAnything(app)
  app.setErrorHandler(sendPageFailure)
  app.setNotFoundHandler(() => {
    throw new FairleadError('notFound')
  })

  const show = (request: FastifyRequest, reply: FastifyReply, subscriber: Subscriber, said: Said): FastifyReply => {
    const page = unsubscribePage({ subscriber, language: languageFor(request) }, said)
    return sendPage(request, reply, said === 'unclear' ? 422 : 200, page, pagePolicy({ posts: true }))
  }

  const showUnknown = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const language = languageFor(request)
    const { unknown, unknownWhy } = unsubscribeText(language)
    return sendPage(request, reply, 404, noticePage(language, [unknown, unknownWhy]))
  }

  const showTest = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const language = languageFor(request)
    const { test, testWhy } = unsubscribeText(language)
    return sendPage(request, reply, 200, noticePage(language, [test, testWhy]))
  }

  app.get<Route>('/:token', { schema: { hide: true }, onRequest: limit }, async (request, reply) => {
    if (request.params.token === testToken) return showTest(request, reply)
    const found = await findSubscriber(db, tokenOf(request.params.token))
    if (found === undefined) return showUnknown(request, reply)
    return show(request, reply, found, found.unsubscribedAt === null ? 'asked' : 'done')
  })

  const doAsked = async (token: string, asked: Asked, requestId: string): Promise<[Subscriber | undefined, Said]> => {
    if (asked.action === 'unclear') return [await findSubscriber(db, token), 'unclear']
    if (asked.action === 'again') return [await subscribeAgain(db, token, { requestId }), 'back']
    return [await unsubscribe(db, token, { way: asked.way, requestId }), 'done']
  }

  // Mail programs post from few addresses for many people: who has a link is never refused.
  app.post<Route>('/:token', { schema: { hide: true }, bodyLimit: bodyBytes }, async (request, reply) => {
    if (request.params.token === testToken) return showTest(request, reply)
    const asked = await readAsked(request)
    const [found, said] = await doAsked(tokenOf(request.params.token), asked, request.id)
    posts.inc({ asked: asked.action, known: `${found !== undefined}` })
    if (found === undefined) {
      await limit(request)
      return showUnknown(request, reply)
    }
    // The person does not wait for the engine; the row stays until it has it.
    void relay().catch((error: unknown) => log.warn({ name: (error as Error).name }, 'the outbox was not handed over'))
    return show(request, reply, found, said === 'back' && found.unsubscribedAt !== null ? 'done' : said)
  })
}

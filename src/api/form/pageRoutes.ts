import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { randomUUID } from 'node:crypto'
import { Counter } from 'prom-client'
import * as forms from '../../db/form.ts'
import { FairleadError } from '../../domain/errors.ts'
import { localised, refuseClosed } from '../../domain/form.ts'
import type { Services } from '../services.ts'
import { sendHtml, sendJson, sendKept } from './pageAnswer.ts'
import { pageBytes, parametersOf, parseForms, readPost, wantsJson, type Post } from './pageBody.ts'
import { createPageLimits, type PageLimits } from './pageLimit.ts'
import { checkOrigin, comesFromNowhere } from './pageOrigin.ts'
import { languageFor, sendPage, sendPageFailure } from './pageSend.ts'
import { showForm } from './pageShow.ts'
import { take, type Outcome } from './pageTake.ts'
import { pageText } from './pageText.ts'
import { fastestMs, readToken, type PageToken } from './pageToken.ts'
import { messagePage } from './pageView.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** whose public address was asked for; set before any route of /f runs */
    form: forms.Form | null
  }
}

export type PageOptions = {
  limits?: Partial<PageLimits>
  /** what comes sooner after its page was made is a robot's */
  fastestMs?: number
}

const formOf = (request: FastifyRequest): forms.Form => {
  if (request.form === null) throw new FairleadError('notFound')
  return request.form
}

/** F1: the public address of a form, a page for people and a door for programs. It needs no key, so it trusts nothing. */
export const formPageRoutes: FastifyPluginAsync<Services & PageOptions> = async (app, options) => {
  const { db, secrets, publicUrl } = options
  const fastest = options.fastestMs ?? fastestMs
  const limits = createPageLimits(app, options.limits ?? {})
  const posts = new Counter({
    name: 'fairlead_form_posts_total',
    help: 'What was sent to public pages of forms, by what became of it',
    labelNames: ['outcome'],
    registers: [app.metrics],
  })
  parseForms(app)
  app.decorateRequest('form', null)
  app.setErrorHandler((error, request, reply) => {
    if (request.method === 'POST') posts.inc({ outcome: 'refused' })
    return sendPageFailure(error, request, reply)
  })
  app.setNotFoundHandler(() => {
    throw new FairleadError('notFound')
  })
  app.addHook('onRequest', async (request, reply) => {
    await limits.requests(request)
    const { formKey = '' } = request.params as { formKey?: string }
    request.form = /^[\w-]{16,64}$/.test(formKey) ? ((await forms.findByKey(db, formKey)) ?? null) : null
    if (request.is404) return
    checkOrigin(request, reply, { allowed: formOf(request).definition.allowedOrigins, publicUrl })
  })

  app.get('/:formKey', { schema: { hide: true } }, async (request, reply) => {
    const form = formOf(request)
    refuseClosed(form)
    return showForm(request, reply, { secrets, form, given: parametersOf(request, form.definition) })
  })

  app.get('/:formKey/thanks', { schema: { hide: true } }, async (request, reply) => {
    const { definition } = formOf(request)
    const language = languageFor(request, definition)
    const { thanks, arrived } = pageText(language)
    const said = 'text' in definition.thanks ? localised(definition.thanks.text, language) : arrived
    return sendPage(reply, 200, messagePage(language, thanks, said), definition)
  })

  app.options('/:formKey', { schema: { hide: true } }, async (_request, reply) =>
    reply
      .code(204)
      .headers({
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'content-type',
        'access-control-max-age': '86400',
      })
      .send(),
  )

  const receive = async (request: FastifyRequest, post: Post, token: PageToken): Promise<Outcome> => {
    const form = formOf(request)
    refuseClosed(form)
    await limits.posts(request)
    if (token.state === 'none') {
      await limits.postsWithoutToken(request)
      if (form.definition.allowedOrigins.length > 0 && comesFromNowhere(request))
        throw new FairleadError('originNotAllowed')
    }
    if (post.trapped) return { kind: 'trapped', id: randomUUID() }
    return take(options, { form, post, token, language: languageFor(request, form.definition) })
  }

  app.post('/:formKey', { bodyLimit: pageBytes, schema: { hide: true } }, async (request, reply) => {
    const form = formOf(request)
    const post = readPost(request, form.definition)
    const token = readToken(secrets, form.id, post.token, { fastest })
    const asked = { secrets, form, post }
    try {
      const outcome = await receive(request, post, token)
      posts.inc({ outcome: outcome.kind })
      return wantsJson(request) ? sendJson(request, reply, outcome) : sendHtml(request, reply, asked, outcome)
    } catch (error) {
      if (wantsJson(request)) throw error
      posts.inc({ outcome: 'refused' })
      return sendKept(error, request, reply, { ...asked, token })
    }
  })
}

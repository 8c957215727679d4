import type { FastifyReply, FastifyRequest } from 'fastify'
import { errorTable, type ErrorCode } from '../../domain/errors.ts'
import type { FormDefinition } from '../../domain/form.ts'
import { beginFailure, sendProblem } from '../errors.ts'
import { wantsJson } from './pageBody.ts'
import { chooseLanguage } from './pageLanguage.ts'
import { styleSource } from './pageStyle.ts'
import { pageLanguages, pageText, type PageText } from './pageText.ts'
import { messagePage } from './pageView.ts'

/**
 * No script runs, and nothing is fetched. The form's origins may frame the page, or everybody. Browsers apply `form-action` to every redirect after a
 * post, so a form that leads elsewhere names no host.
 */
const policyOf = (definition: FormDefinition | undefined): string => {
  const { allowedOrigins = [], thanks } = definition ?? {}
  const elsewhere = thanks !== undefined && 'redirect' in thanks ? ' https: http:' : ''
  const framers =
    definition === undefined ? "'none'" : allowedOrigins.length === 0 ? '*' : ["'self'", ...allowedOrigins].join(' ')
  return `default-src 'none'; style-src ${styleSource}; base-uri 'none'; form-action 'self'${elsewhere}; frame-ancestors ${framers}`
}

/** Answers with a page. `same-origin` keeps the browser naming itself to us, and tells nobody else where it comes from. */
export const sendPage = (
  reply: FastifyReply,
  status: number,
  page: string,
  definition?: FormDefinition,
): FastifyReply => {
  // frame-ancestors says it more exactly
  reply.raw.removeHeader('x-frame-options')
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .headers({
      'cache-control': 'no-store',
      'content-security-policy': policyOf(definition),
      'referrer-policy': 'same-origin',
      'x-robots-tag': 'noindex, nofollow',
    })
    .serializer(String)
    .send(page)
}

/** Heading and sentence of a failure. */
const saidOf = (code: ErrorCode, text: PageText): [title: string, sentence: string] => {
  if (code === 'notFound') return [text.notFound, text.notFoundWhy]
  if (code === 'bodyTooLarge') return [text.failed, text.tooMuch]
  if (code === 'originNotAllowed') return [text.failed, text.foreign]
  if (code === 'tooManyRequests') return [text.failed, text.tooManyRequests]
  if (code === 'formClosed' || code === 'formRemoved') return [text.closedTitle, text.closed]
  if (errorTable[code].status < 500) return [text.failed, text.unreadable]
  return [text.failed, text.later]
}

export const languageFor = (request: FastifyRequest, definition?: FormDefinition): string => {
  const { lang } = (request.query ?? {}) as { lang?: unknown }
  return chooseLanguage(definition?.languages ?? pageLanguages, lang, request.headers['accept-language'])
}

/** A failure as a page for people, and as a problem for programs. */
export const sendPageFailure = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  if (wantsJson(request)) return sendProblem(thrown, request, reply)
  const { code, status } = beginFailure(thrown, request, reply)
  const language = languageFor(request, request.form?.definition)
  return sendPage(reply, status, messagePage(language, ...saidOf(code, pageText(language))), request.form?.definition)
}

/** Addresses below /f, whatever is wrong with them. */
export const isPageUrl = (url: string): boolean => /^\/f(\/|\?|$)/.test(url)

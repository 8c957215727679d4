import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Form } from '../../db/form.ts'
import type { SecretBox } from '../../db/secret.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { AnswerIssue } from '../../domain/form.ts'
import { beginFailure, sendProblem } from '../errors.ts'
import type { Post } from './pageBody.ts'
import { languageFor, sendPageFailure } from './pageSend.ts'
import { showForm } from './pageShow.ts'
import type { Outcome } from './pageTake.ts'
import { pageText } from './pageText.ts'
import type { PageToken } from './pageToken.ts'

const refusalOf = (errors: readonly AnswerIssue[]): FairleadError => {
  const [first] = errors
  const code = first?.code === 'emptySubmission' ? 'emptySubmission' : 'invalidInput'
  const detail = first === undefined || first.path === '' ? first?.message : `${first.path}: ${first.message}`
  return new FairleadError(code, { detail, errors: [...errors] })
}

/** What a program is told: that it was stored, and no more; else the problem invalidInput, emptySubmission or pageSpent. */
export const sendJson = (request: FastifyRequest, reply: FastifyReply, outcome: Outcome): FastifyReply => {
  if (outcome.kind === 'invalid') return sendProblem(refusalOf(outcome.errors), request, reply)
  if (outcome.kind === 'again') return sendProblem(new FairleadError('pageSpent'), request, reply)
  return reply.code(202).header('cache-control', 'no-store').send({ id: outcome.id, state: 'received' })
}

type Asked = { secrets: SecretBox; form: Form; post: Post }

/** What a person sees: thanks, or the form again with all that was typed. */
export const sendHtml = (
  request: FastifyRequest,
  reply: FastifyReply,
  { secrets, form, post: { given } }: Asked,
  outcome: Outcome,
): FastifyReply => {
  const language = languageFor(request, form.definition)
  if (outcome.kind === 'invalid') {
    const { errors, token } = outcome
    return showForm(request, reply, { secrets, form, given, errors, token, status: 422 })
  }
  if (outcome.kind === 'again') {
    const { again, sendAgain } = pageText(language)
    const notice = { title: again, text: sendAgain }
    return showForm(request, reply, { secrets, form, given, notice, token: outcome.token, status: 409 })
  }
  const { thanks } = form.definition
  const to = 'redirect' in thanks ? thanks.redirect : `./${form.key}/thanks?lang=${language}`
  return reply.header('cache-control', 'no-store').redirect(to, 303)
}

/** A failure that passes by: the form comes back with all that was typed, to be sent again. */
export const sendKept = (
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { secrets, form, post, token }: Asked & { token: PageToken },
): FastifyReply => {
  if (thrown instanceof FairleadError && thrown.status < 500 && thrown.code !== 'tooManyRequests')
    return sendPageFailure(thrown, request, reply)
  const { code, status } = beginFailure(thrown, request, reply)
  const { again, tooManyRequests, notStored } = pageText(languageFor(request, form.definition))
  const notice = { title: again, text: code === 'tooManyRequests' ? tooManyRequests : notStored }
  const sealed = 'sealed' in token ? token.sealed : undefined
  return showForm(request, reply, { secrets, form, given: post.given, notice, token: sealed, status })
}

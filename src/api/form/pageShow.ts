import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Form } from '../../db/form.ts'
import type { SecretBox } from '../../db/secret.ts'
import { parametersOf } from './pageBody.ts'
import { languageFor, sendPage } from './pageSend.ts'
import { issueToken } from './pageToken.ts'
import { formPage, type FormView } from './pageView.ts'

type Shown = Pick<FormView, 'given' | 'notice'> & {
  secrets: SecretBox
  form: Form
  /** the first of a field counts */
  errors?: readonly { path: string; message: string }[]
  /** of the page that was sent, where it can be sent again; else the page gets a new one */
  token?: string | undefined
  status?: number
}

/** The same page in each of the form's languages, with what its address says about hidden fields. */
const queriesOf = (request: FastifyRequest, { definition }: Form): ReadonlyMap<string, string> => {
  const said = parametersOf(request, definition)
  const parameters = definition.fields.flatMap(({ name, hidden }): [string, string][] =>
    hidden !== null && 'parameter' in hidden && said[name] !== undefined ? [[hidden.parameter, said[name]]] : [],
  )
  return new Map(definition.languages.map((lang) => [lang, `${new URLSearchParams([...parameters, ['lang', lang]])}`]))
}

/** Answers with the form, filled in with what is given. */
export const showForm = (
  request: FastifyRequest,
  reply: FastifyReply,
  { secrets, form, given, errors = [], notice, token, status = 200 }: Shown,
): FastifyReply => {
  const { definition } = form
  const language = languageFor(request, definition)
  const page = formPage({
    definition,
    language,
    given,
    errors: new Map(errors.toReversed().map(({ path, message }) => [path, message])),
    notice,
    token: token ?? issueToken(secrets, form.id),
    queries: queriesOf(request, form),
  })
  return sendPage(reply.header('content-language', language), status, page, definition)
}

import { hashKeyOf, emailKeyOf } from '../../db/emailKey.ts'
import type { Form } from '../../db/form.ts'
import * as submissions from '../../db/submission.ts'
import { hasAnswers } from '../../db/submission/same.ts'
import { addressFieldOf, readAnswers, type AnswerIssue, type Answers } from '../../domain/form.ts'
import type { Services } from '../services.ts'
import type { Post } from './pageBody.ts'
import type { PageToken } from './pageToken.ts'

export type Outcome =
  /** `id` of the submission; a robot in the trap is told the same */
  | { kind: 'stored' | 'trapped'; id: string }
  | { kind: 'invalid'; errors: AnswerIssue[]; token: string | undefined }
  /** too fast, too old, forged, or used before: a person is asked to send it again, with `token` or a new one */
  | { kind: 'again'; token: string | undefined }

type Asked = { form: Form; post: Post; token: PageToken; language: string }

const withDecimals = /^\s*[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+\s*$/
const withThousands = /^\s*[+-]?\d{1,3}(\.\d{3})+\s*$/

/** In German a comma stands before the decimals, and dots between the thousands. What no page of ours has asked for may have a dot before the decimals. */
const readGerman = ({ form: { definition }, post, token, language }: Asked): Record<string, unknown> => {
  if (language !== 'de') return post.given
  const isGerman = (said: string): boolean =>
    withDecimals.test(said) || (token.state !== 'none' && withThousands.test(said))
  const numbers = definition.fields.filter(({ type }) => type === 'number').map(({ name }) => name)
  const written = numbers.flatMap((name) => {
    const said = post.given[name]
    return typeof said === 'string' && isGerman(said) ? [[name, said.replaceAll('.', '').replace(',', '.')]] : []
  })
  return { ...post.given, ...Object.fromEntries(written) }
}

/** What a hidden field brings is no fault of the person who fills in the page: where it does not fit, it is left out. */
const readGiven = (asked: Asked): ReturnType<typeof readAnswers> => {
  const { definition } = asked.form
  const { language } = asked
  const given = readGerman(asked)
  const read = readAnswers(definition, given, { language })
  const hidden = new Set(definition.fields.filter(({ type }) => type === 'hidden').map(({ name }) => name))
  const wrong = new Set(read.errors.map(({ path }) => path).filter((path) => hidden.has(path)))
  if (wrong.size === 0) return read
  const rest = Object.entries(given).filter(([name]) => !wrong.has(name))
  return readAnswers(definition, Object.fromEntries(rest), { language })
}

const store = async ({ db, secrets }: Services, { form, token, language }: Asked, answers: Answers) => {
  const address = addressFieldOf(form.definition)
  const emailKey = emailKeyOf(await hashKeyOf(db, secrets, form.accountId), address && answers[address.name])
  const nonce = 'nonce' in token ? token.nonce : null
  const { version } = form
  const stored = await db.transaction(async (tx) => {
    const made = await submissions.insert(tx, { form, version, answers, emailKey, language, token: nonce })
    if (!made.repeated) await submissions.takeConsent(tx, form, { answers, emailKey, submissionId: made.id })
    return made
  })
  const isOther = stored.repeated && !(await hasAnswers(db, form.accountId, stored.id, answers))
  return isOther ? undefined : stored.id
}

/** Stores what a page or a program sent; the commit is all that it waits for (F3). Nothing of it is kept unless the outcome is `stored`. */
export const take = async (services: Services, asked: Asked): Promise<Outcome> => {
  const { token } = asked
  const sealed = 'sealed' in token ? token.sealed : undefined
  const { answers, errors } = readGiven(asked)
  if (errors.length > 0) return { kind: 'invalid', errors, token: sealed }
  if (token.state !== 'good' && token.state !== 'none') return { kind: 'again', token: sealed }
  const id = await store(services, asked, answers)
  if (id === undefined) return { kind: 'again', token: undefined }
  void services.relay().catch(() => undefined)
  return { kind: 'stored', id }
}

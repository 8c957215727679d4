import { eq } from 'drizzle-orm'
import { issueToken } from '../../src/api/form/pageToken.ts'
import * as forms from '../../src/db/form.ts'
import { operator } from '../../src/db/audit.ts'
import { submissions } from '../../src/db/schema.ts'
import type { GivenField, GivenForm } from '../../src/domain/form.ts'
import type { TestApi } from './api.ts'

/** Every type of field, in two languages. */
export const everyField: GivenField[] = [
  { name: 'email', type: 'email', label: { en: 'E-mail', de: 'E-Mail' }, required: true },
  { name: 'first', type: 'text', label: { en: 'First name', de: 'Vorname' }, column: 'FirstName', maxLength: 40 },
  { name: 'last', type: 'text', label: { en: 'Last name', de: 'Nachname' }, column: 'LastName', required: true },
  { name: 'phone', type: 'phone', label: { en: 'Telephone', de: 'Telefon' } },
  { name: 'people', type: 'number', label: { en: 'People', de: 'Personen' }, min: 1, max: 500 },
  { name: 'day', type: 'date', label: { en: 'Day', de: 'Tag' }, help: { en: 'When shall we call?', de: 'Wann?' } },
  {
    name: 'topic',
    type: 'choice',
    label: { en: 'Topic', de: 'Thema' },
    required: true,
    choices: [
      { value: 'demo', label: { en: 'A demonstration', de: 'Eine Vorführung' } },
      { value: 'price', label: { en: 'Prices', de: 'Preise' } },
    ],
  },
  { name: 'size', type: 'choice', label: { en: 'Size', de: 'Größe' }, choices: ['small', 'large'] },
  { name: 'news', type: 'choices', label: { en: 'News about', de: 'Neues über' }, choices: ['events', 'products'] },
  { name: 'text', type: 'longText', label: { en: 'Your question', de: 'Ihre Frage' } },
  { name: 'call', type: 'checkbox', label: { en: 'Please call me', de: 'Bitte rufen Sie an' } },
  { name: 'agree', type: 'consent', label: { en: 'I agree', de: 'Ich stimme zu' }, required: true },
  { name: 'campaign', type: 'hidden', label: 'Campaign', hidden: { parameter: 'utm_campaign' } },
  { name: 'source', type: 'hidden', label: 'Source', hidden: { value: 'fair' } },
]

export const filled = {
  email: 'pat@example.com',
  last: 'Public',
  topic: 'demo',
  agree: 'true',
}

type Values = Record<string, string | string[]>
type Sent = { token?: string | null; headers?: Record<string, string>; ip?: string; query?: string }

/** Forms of the test's account, and what is sent to their public addresses. */
export const openForms = ({ app, db, secrets, account }: TestApi) => {
  let count = 0
  /** of a page that somebody has looked at for a while */
  const tokenOf = ({ id }: forms.Form, ageMs = 10_000): string => issueToken(secrets, id, Date.now() - ageMs)
  return {
    make: (changes: Partial<GivenForm> = {}): Promise<forms.Form> => {
      const name = `Form ${(count += 1)}`
      const form = { name, fields: everyField, languages: ['en', 'de'], list: { name }, ...changes }
      return forms.insert(db, account.id, form, operator)
    },
    token: tokenOf,
    open: (path: string, headers: Record<string, string> = {}) =>
      app.inject({ method: 'GET', url: `/f/${path}`, headers }),
    /** as a page sends it; `token: null` sends none */
    send(
      form: forms.Form,
      values: Values,
      { token = tokenOf(form), headers, ip = '192.0.2.1', query = '' }: Sent = {},
    ) {
      const pairs = Object.entries(values).flatMap(([name, value]) => [value].flat().map((each) => [name, each]))
      if (token !== null) pairs.push(['_token', token])
      return app.inject({
        method: 'POST',
        url: `/f/${form.key}${query}`,
        remoteAddress: ip,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        payload: `${new URLSearchParams(pairs as [string, string][])}`,
      })
    },
    sendJson(form: forms.Form, body: unknown, { headers, ip = '192.0.2.1' }: Sent = {}) {
      return app.inject({ method: 'POST', url: `/f/${form.key}`, remoteAddress: ip, headers, payload: body as object })
    },
    stored: ({ id }: forms.Form) =>
      db.select().from(submissions).where(eq(submissions.formId, id)).orderBy(submissions.id),
  }
}

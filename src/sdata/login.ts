import { z } from 'zod'
import type { CallOptions, CrmIdentity } from '../domain/crm.ts'
import { FairleadError, isFairleadError } from '../domain/errors.ts'
import { readAnswer, type Answer } from './http/answer.ts'
import type { Client } from './http/client.ts'
import { diagnose, diagnoseText } from './http/diagnosis.ts'
import { member, readFeed, type Row } from './paging/feed.ts'
import { parseJson } from './http/json.ts'
import { literal } from './http/query.ts'
import { trimId } from './values/value.ts'

type Login = { userId: string; userName: string; roles: string[]; rights: string[] | null }

const Strings = z
  .array(z.unknown())
  .transform((items) => items.filter((item): item is string => typeof item === 'string'))
const Response = z.object({
  response: z.looseObject({
    userId: z.string(),
    userName: z.string().nullish(),
    roles: Strings.nullish().catch(null),
    securedActions: Strings.nullish().catch(null),
  }),
})

const servicePath = 'slx/system/-/$service/getCurrentUser'

const challengeDetail = (challenge: string): { detail?: string } =>
  challenge === '' || /\bbasic\b/i.test(challenge)
    ? {}
    : {
        detail:
          'The CRM server asks for another kind of login than user name and password; basic authentication must be enabled for SData.',
      }

const diagnoseLogin = (text: string) => {
  try {
    return diagnose(parseJson(text)) ?? diagnoseText('')
  } catch {
    return diagnoseText(text)
  }
}

/** What a refusal at login means (3.2, 3.9): second factor, expired password, else user name or password. null when it is none. */
const refusal = (status: number, text: string, challenge: string): FairleadError | null => {
  const said = diagnoseLogin(text)
  const crm = { status, code: said.code, message: said.message }
  if (said.mfaRequired) return new FairleadError('mfaRequired', { crm })
  if (said.passwordExpired) return new FairleadError('passwordExpired', { crm })
  if (status !== 401 && status !== 403) return null
  return new FairleadError('loginRefused', { crm, ...challengeDetail(challenge) })
}

/** 7.5.4 and customised portals may lack the service: the login is tested by a template, the user found by name. */
const loginWithoutService = async (client: Client, userName: string, options: CallOptions): Promise<Login> => {
  await client.ask({ path: 'slx/dynamic/-/contacts/$template', login: true, tries: 0 }, options)
  const where = `upper(UserName) eq ${literal(userName.toUpperCase())}`
  const { json } = await client.ask({ path: 'slx/dynamic/-/users', query: { where, count: 1 }, login: true }, options)
  const [row] = readFeed(json).rows
  const userId = row && trimId(row['$key'])
  if (!userId) throw new FairleadError('notAdministrator')
  return { userId, userName, roles: [], rights: null }
}

/**
 * One login, with exactly one try of the password. Throws loginRefused, passwordExpired, mfaRequired, or the transient codes.
 */
const login = async (client: Client, userName: string, options: CallOptions): Promise<Login> => {
  const reply = await client.exchange({ path: servicePath, send: { method: 'POST', json: '{}' } }, options)
  const refused = refusal(reply.status, reply.text, String(reply.headers['www-authenticate'] ?? ''))
  if (refused) throw refused
  let answer: Answer
  try {
    answer = readAnswer(reply, { path: servicePath })
  } catch (error) {
    const absent =
      [400, 404, 405, 410, 501].includes(reply.status) || (isFairleadError(error) && error.code === 'entityDisabled')
    if (absent) return loginWithoutService(client, userName, options)
    throw error
  }
  const parsed = Response.safeParse(answer.json)
  if (!parsed.success) throw new FairleadError('crmAnswer', { crm: { status: reply.status } })
  const { response } = parsed.data
  const userId = trimId(response.userId)
  if (userId === null) throw new FairleadError('crmAnswer', { crm: { status: reply.status } })
  return {
    userId,
    userName: trimId(response.userName) ?? userName,
    roles: response.roles ?? [],
    rights: response.securedActions ?? null,
  }
}

/** null instead of an error where a request only refines what is known; transient failures still end the check. */
const maybe = async (client: Client, path: string, options: CallOptions, query = {}): Promise<unknown> => {
  try {
    return (await client.ask({ path, query, login: true }, options)).json
  } catch (error) {
    const passing =
      isFairleadError(error) && ['crmUnreachable', 'crmTimeout', 'crmBusy', 'leaseLost'].includes(error.code)
    if (passing || !isFairleadError(error)) throw error
    return null
  }
}

const asRow = (json: unknown): Row =>
  typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Row) : {}

const administratorRole = /^(system |crm |slx )?administrators?$/i
const needed = ['Lead', 'Contact'].flatMap((kind) =>
  ['View', 'Add', 'Edit'].map((right) => `entities/${kind}/${right}`.toLowerCase()),
)

/**
 * The rule of 3.7: the built-in user, a role, the user's type, else rights. Sales people too may see, add and edit leads and contacts, but only
 * their own team's: rights count only with one of administration beside them.
 */
const isAdministrator = async (
  client: Client,
  { userId, roles, rights }: Login,
  options: CallOptions,
): Promise<boolean> => {
  if (userId.toUpperCase() === 'ADMIN' || roles.some((role) => administratorRole.test(role.trim()))) return true
  const path = `slx/dynamic/-/users(${literal(userId)})`
  const user = (await maybe(client, path, options, { select: ['Type'] })) ?? (await maybe(client, path, options))
  const type = String(member(asRow(user), 'Type') ?? '').trim()
  if (/^(8|admin(istrator)?)$/i.test(type)) return true
  const granted = new Set((rights ?? []).map((right) => right.toLowerCase()))
  if (![...granted].some((right) => right.startsWith('administration/'))) return false
  return needed.every((right) => granted.has(right))
}

const readVersion = async (client: Client, options: CallOptions): Promise<string | null> => {
  const path = 'slx/system/-/systemOptions'
  const one = asRow(await maybe(client, `${path}('DatabaseVersion')`, options))
  const query = { where: "name eq 'DatabaseVersion'", select: ['name', 'value'] }
  const row = member(one, 'value') === undefined ? asRow(await maybe(client, path, options, query)) : one
  const [first] = '$resources' in row ? readFeed(row, false).rows : [row]
  return /\d+\.\d+(\.\d+)*/.exec(String(member(first ?? {}, 'value') ?? ''))?.[0] ?? null
}

/** Who is connected to what (C1). Throws notAdministrator, and what `login` throws. */
export const identify = async (client: Client, userName: string, options: CallOptions): Promise<CrmIdentity> => {
  const user = await login(client, userName, options)
  if (!(await isAdministrator(client, user, options))) throw new FairleadError('notAdministrator')
  const family = user.rights === null ? '7.5.4' : '8'
  const version = (await readVersion(client, options)) ?? family
  return {
    url: client.habits.root ?? '',
    version,
    family,
    userId: user.userId,
    userName: user.userName,
    administrator: true,
    rights: user.rights,
  }
}

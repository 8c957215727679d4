import type { IncomingHttpHeaders } from 'node:http'
import { Refusal } from '../diagnosis.ts'
import type { Strikes } from '../faults.ts'
import type { Login } from '../logins.ts'
import type { World } from '../world.ts'

export const credentialsIn = (headers: IncomingHttpHeaders): { username: string; password: string } | undefined => {
  const header = headers.authorization ?? headers['x-authorization']
  const match = /^Basic\s+([A-Za-z0-9+/=_-]+)$/i.exec(String(header ?? '').trim())
  if (match === null) return undefined
  const text = Buffer.from(String(match[1]), 'base64').toString('utf8')
  const at = text.includes(':') ? text.indexOf(':') : text.length
  return { username: text.slice(0, at), password: text.slice(at + 1) }
}

/** Who is let in, and how others are turned away. */
const wrongCredentials = (headers: IncomingHttpHeaders): Refusal => {
  const message = 'The user name or password is incorrect.'
  if (String(headers['x-authorization-mode'] ?? '').toLowerCase() === 'no-challenge')
    return new Refusal(403, 'ApplicationDiagnosis', message)
  return new Refusal(401, 'ApplicationDiagnosis', message, {
    headers: { 'WWW-Authenticate': 'Basic realm="SalesLogix"' },
  })
}

const expired = (): Refusal =>
  new Refusal(403, 'ApplicationDiagnosis', 'Your password has expired and must be changed.', {
    stackTrace: 'at Sage.SalesLogix.User.Rules.IsValidPassword(IUser user, String password)',
  })

export class MfaRequired extends Error {}

/** Who asks; refuses wrong, expired and second-factor users. */
export const enter = (world: World, headers: IncomingHttpHeaders, strikes: Strikes): Login => {
  const sent = credentialsIn(headers)
  const login = sent && world.logins.get(sent.username.toLowerCase())
  if (sent === undefined || login === undefined || login.password !== sent.password) throw wrongCredentials(headers)
  if (login.expired || strikes.get('expired') !== undefined) throw expired()
  if (login.mfa || strikes.get('mfa') !== undefined) throw new MfaRequired()
  return login
}

/** A second factor is asked for. */
export const mfaBody = (base: string): string =>
  JSON.stringify({
    mfaRequired: true,
    hasDevices: true,
    mfaStatusUrl: `${base}/mfa/devices/$service/status`,
    mfaDevicesUrl: `${base}/mfa/devices`,
    mfaVerifyUrl: `${base}/mfa/devices/$service/verify`,
    severity: 'Error',
    sdataCode: 'MfaRequired',
    applicationCode: '',
    message: 'Multi-factor authentication verification is required.',
    stackTrace: '',
    payloadPath: '',
  })

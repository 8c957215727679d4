import type { IncomingHttpHeaders } from 'node:http'
import { mix } from '../hash.ts'
import { Refusal } from '../diagnosis.ts'
import type { World } from '../world.ts'

const cookieIn = (headers: IncomingHttpHeaders, name: string): string | undefined =>
  (headers.cookie ?? '')
    .split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(name.length + 1)

export type Ticket = { cookies: string[]; leave(): void }

/** Sessions by cookie. A request without a known cookie starts a new one (sdata.md 3.11). */
export const makeSessions = (world: World) => {
  const users = new Map<string, string>()
  const busy = new Map<string, Map<string, number>>()
  let made = 0

  const start = (username: string): { id: string; cookies: string[] } => {
    made++
    const id = `sim${mix(made, 77).toString(36)}${made.toString(36).padStart(6, '0')}`
    users.set(id, username)
    const ticket = Buffer.from(`${username}:${made}`).toString('hex').toUpperCase()
    return { id, cookies: [`ASP.NET_SessionId=${id}; path=/; HttpOnly`, `.SLXAUTH=${ticket}; path=/; HttpOnly`] }
  }

  return {
    count: () => made,
    reset(): void {
      made = 0
    },
    enter(username: string, headers: IncomingHttpHeaders): Ticket {
      const known = cookieIn(headers, 'ASP.NET_SessionId')
      const same = known !== undefined && users.get(known) === username
      const running = busy.get(username) ?? new Map<string, number>()
      const others = [...running.keys()].some((id) => !same || id !== known)
      if (world.settings.oneSession !== 0 && others)
        throw new Refusal(
          world.settings.oneSession,
          'ApplicationDiagnosis',
          'The user is logged in elsewhere: only one session at a time is allowed.',
        )
      const { id, cookies } = same ? { id: known, cookies: [] } : start(username)
      running.set(id, (running.get(id) ?? 0) + 1)
      busy.set(username, running)
      return {
        cookies,
        leave() {
          const left = (running.get(id) ?? 1) - 1
          if (left > 0) running.set(id, left)
          else running.delete(id)
        },
      }
    },
  }
}

export type Sessions = ReturnType<typeof makeSessions>

type Cookie = { value: string; secure: boolean; expiresAt: number }

export type CookieJar = {
  store(setCookie: string | string[] | undefined, nowMs?: number): void
  /** the Cookie header, null when there is nothing to send */
  header(secure: boolean, nowMs?: number): string | null
  clear(): void
}

const parse = (line: string, nowMs: number): [string, Cookie] | null => {
  const [pair = '', ...attributes] = line.split(';')
  const equals = pair.indexOf('=')
  const name = pair.slice(0, equals).trim()
  if (equals < 1 || name === '') return null
  const cookie: Cookie = { value: pair.slice(equals + 1).trim(), secure: false, expiresAt: Number.POSITIVE_INFINITY }
  let maxAge: number | null = null
  for (const attribute of attributes) {
    const [key = '', value = ''] = attribute.split(/=(.*)/s)
    const lower = key.trim().toLowerCase()
    if (lower === 'secure') cookie.secure = true
    if (lower === 'max-age' && /^-?\d+$/.test(value.trim())) maxAge = Number(value.trim())
    if (lower === 'expires' && !Number.isNaN(Date.parse(value))) cookie.expiresAt = Date.parse(value)
  }
  if (maxAge !== null) cookie.expiresAt = nowMs + maxAge * 1000
  return [name, cookie]
}

/** Session cookies of one Crm, so that a request does not begin a new CRM session (sdata.md 3.11). All belong to the one host that is talked to. */
export const createCookieJar = (): CookieJar => {
  const cookies = new Map<string, Cookie>()
  return {
    store(setCookie, nowMs = Date.now()) {
      for (const line of setCookie === undefined ? [] : [setCookie].flat()) {
        const parsed = parse(line, nowMs)
        if (!parsed) continue
        if (parsed[1].expiresAt <= nowMs || parsed[1].value === '') cookies.delete(parsed[0])
        else if (cookies.size < 50 || cookies.has(parsed[0])) cookies.set(...parsed)
      }
    },
    header(secure, nowMs = Date.now()) {
      if (cookies.size === 0) return null
      const valid = [...cookies].filter(([, cookie]) => cookie.expiresAt > nowMs && (secure || !cookie.secure))
      return valid.length === 0 ? null : valid.map(([name, cookie]) => `${name}=${cookie.value}`).join('; ')
    },
    clear: () => cookies.clear(),
  }
}

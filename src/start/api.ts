export type Api = {
  url: string
  /** The answer's body; anything but 2xx is an ApiProblem. */
  call: (method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown) => Promise<unknown>
}
type Problem = { code?: string; title?: string; detail?: string; remedy?: string }

export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly body: unknown
  constructor(status: number, body: Problem) {
    super([body.detail ?? body.title ?? `The API answered ${status}.`, body.remedy].filter(Boolean).join(' '))
    this.status = status
    this.code = body.code ?? 'unknown'
    this.body = body
  }
}

/** The public HTTP API and nothing else: what the demo does, anybody can do. */
export const openApi = (url: string, key: string): Api => ({
  url,
  call: async (method, path, body) => {
    const reply = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const answer: unknown = await reply.json()
    if (!reply.ok) throw new ApiProblem(reply.status, answer as Problem)
    return answer
  },
})

import type { Login } from '../logins.ts'
import type { Strikes } from '../faults.ts'
import type { Arguments } from '../query/arguments.ts'
import type { Segment } from './address.ts'

/** One request that passed the door. */
export type Call = {
  method: string
  contract: string
  segments: Segment[]
  args: Arguments
  login: Login
  strikes: Strikes
  /** the parsed JSON of a write */
  body: unknown
  ifMatch: string | undefined
  /** …/slx/dynamic/- with the host that the server believes in */
  base: string
  /** the URL as it was sent, absolute, with that host */
  url: string
}

export type Reply = {
  status: number
  /** JSON text; written as Atom where the request did not ask for JSON */
  body: string | Buffer
  etag?: string
  location?: string
  /** rows of a feed, and whether it carries secret properties unasked */
  rows?: number
  /** of a batch */
  items?: number
  secret?: boolean
  /** shape of the Atom document: name of the payload element */
  payload?: string
  /** not converted to Atom */
  type?: string
}

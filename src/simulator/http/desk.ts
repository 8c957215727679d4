import type { Faults } from '../faults.ts'
import type { Journal } from '../journal.ts'
import type { Later } from '../later.ts'
import type { World } from '../world.ts'
import type { Address } from './address.ts'
import type { Sessions } from './sessions.ts'

export type Desk = {
  world: World
  faults: Faults
  journal: Journal
  sessions: Sessions
  later: Later
  basePath: string
  /** told after each request was worked on, before it is answered */
  worked(address: Address, method: string): void
}

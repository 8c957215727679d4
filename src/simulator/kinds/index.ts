import type { Kind } from '../model.ts'
import { makeAccounts } from './account.ts'
import { makeAddresses, makeLeadAddresses } from './address.ts'
import type { Making } from './common.ts'
import { makeContacts } from './contact.ts'
import { makeHistory } from './history.ts'
import { makeLeads } from './lead.ts'
import { makeLeadSources, makeOwners, makeUserInfo, makeUsers } from './staff.ts'

export type Kinds = Map<string, Kind>

/** Keyed by the lower-case path name. */
export const makeKinds = (making: Making): Kinds =>
  new Map(
    [
      makeLeads(making),
      makeContacts(making),
      makeAccounts(making),
      makeAddresses(making),
      makeLeadAddresses(making),
      makeHistory(),
      makeUsers(),
      makeUserInfo(),
      makeOwners(),
      makeLeadSources(),
    ].map((kind) => [kind.name.toLowerCase(), kind]),
  )

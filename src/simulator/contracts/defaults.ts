import { picklists, storedForm } from '../kinds/picklists.ts'
import type { Login } from '../logins.ts'
import type { Kind, Values } from '../model.ts'
import { relationNamed } from '../query/scope.ts'
import type { World } from '../world.ts'

const defaults: Record<string, Values> = {
  Lead: { Status: 'New', DoNotSolicit: false, DoNotEmail: false, DoNotFAX: false, DoNotMail: false, DoNotPhone: false },
  Contact: {
    Status: 'Active',
    IsPrimary: false,
    DoNotSolicit: false,
    DoNotEmail: false,
    DoNotFax: false,
    DoNotMail: false,
    DoNotPhone: false,
  },
  History: { Duration: 0, Timeless: false, Attachment: false },
}

/** What a new row has before anything is sent; picklist items in the form in which they are stored. */
export const defaultsOf = ({ settings }: World, kind: Kind, login: Pick<Login, 'userId'>): Values => {
  const values: Values = { ...defaults[kind.entity] }
  for (const [name, value] of Object.entries(values)) {
    const property = kind.byName.get(name.toLowerCase())
    const list = picklists.find((picklist) => picklist.name === property?.picklist)
    const item = list?.items.find(({ text }) => text === value)
    if (property && item) values[name] = storedForm(item, property.storage, settings.picklistStorage)
  }
  if (relationNamed(kind, 'Owner')) values['OwnerId'] = 'SYST00000001'
  if (relationNamed(kind, 'AccountManager')) values['AccountManagerId'] = login.userId
  return values
}

import { staff } from './kinds/staffList.ts'

/** A property that a user may not see or change, by field-level security. */
export type Restriction = {
  entity: string
  property: string
  access: 'NoAccess' | 'ReadOnly'
  /** how a property without access shows: not at all, or as null */
  shows?: 'absent' | 'null'
}

export type Login = {
  username: string
  password: string
  userId: string
  ownerId: string
  prettyName: string
  role: 'admin' | 'plain'
  roles: string[]
  expired: boolean
  mfa: boolean
  securedActions: string[]
  restrictions: Restriction[]
  /** rows of these owners do not exist for the user */
  hiddenOwners: string[]
}

export type LoginInput = Partial<Omit<Login, 'username'>> & { username: string }

export const securedEntities = ['Lead', 'Contact', 'Account', 'History']

const actions = securedEntities.flatMap((entity) =>
  ['View', 'Add', 'Edit', 'Delete'].map((action) => `Entities/${entity}/${action}`),
)

export const makeLogin = (input: LoginInput): Login => {
  const known = staff.find((person) => person.userName === input.username.toLowerCase())
  const role = input.role ?? 'plain'
  const fallback = role === 'admin' ? staff[0] : staff[3]
  const person = known ?? fallback
  return {
    password: 'secret',
    userId: person?.id ?? 'ADMIN',
    ownerId: person?.ownerId ?? 'SYST00000001',
    prettyName: person ? `${person.first} ${person.last}` : input.username,
    role,
    roles: role === 'admin' ? ['Administrator', 'Standard User'] : ['Standard User'],
    expired: false,
    mfa: false,
    securedActions:
      role === 'admin' ? ['Administration/View', ...actions] : actions.filter((action) => !action.endsWith('Delete')),
    restrictions: [],
    hiddenOwners: [],
    ...input,
  }
}

/** The main user is the built-in administrator, whatever it is called; the others of the staff have the same password. */
export const makeLogins = (username: string, password: string): Map<string, Login> => {
  const main = makeLogin({ username, password, role: 'admin', userId: 'ADMIN', ownerId: 'FADMIN000001' })
  const others = staff.slice(1).filter((person) => person.enabled)
  return new Map(
    [...others.map(({ userName }) => makeLogin({ username: userName, password })), main].map((login) => [
      login.username.toLowerCase(),
      login,
    ]),
  )
}
